#include "alert/alert.h"
#include "alert/decode.h"
#include "base/text.h"
#include "fuzz.h"

#include <algorithm>
#include <set>

namespace alertspool {
namespace {

using namespace fuzz;

std::string joined(const Fields& pairs) {
  std::string out;
  for (const auto& [name, value] : pairs) out += (out.empty() ? "" : ", ") + name + "=" + value;
  return "{" + out + "}";
}

std::string alarm_of(const std::string& dimensions) {
  return make_alert({}, {{"ruleId", "r"}, {"dimensions", dimensions}}, false).alarm;
}

}  // namespace

FUZZ_TARGET(dimensions) {
  const Fields pairs = decode_dimensions(input);
  const std::string_view text = trim(input);
  const bool braces = text.size() > 1 && text.front() == '{' && text.back() == '}';
  if (!braces) return demand(pairs.empty(), "only what is in braces has dimensions");
  if (trim(text.substr(1)).front() == '"') {
    const DecodeResult json = decode_json(text);
    const auto* decoded = std::get_if<Decoded>(&json);
    return demand(pairs == (decoded ? decoded->pairs : Fields()), "a JSON object is decoded as one");
  }
  if (pairs.empty()) return;
  // `{a=1, }`: the separator at the end belongs to nobody.
  const std::string whole = joined(pairs);
  demand(whole == text || whole.substr(0, whole.size() - 1) + ", }" == text, "nothing is lost");

  std::set<std::string> names;
  bool simple = true;  // the same pieces in another order are the same dimensions
  for (const auto& [name, value] : pairs) {
    demand(!name.empty() && name.find('=') == name.npos, "a name is what stands before the first =");
    simple = simple && names.insert(name).second && value.find(", ") == value.npos && trim(name).front() != '"';
  }
  if (simple) {
    const std::string reversed = joined({pairs.rbegin(), pairs.rend()});
    demand(alarm_of(reversed) == alarm_of(std::string(input)), "the order of dimensions does not change the alarm");
  }
}

}  // namespace alertspool
