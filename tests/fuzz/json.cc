#include "alert/json.h"

#include "alert/decode.h"
#include "base/text.h"
#include "fuzz.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace alertspool {
namespace {

using namespace fuzz;
using nlohmann::json;

/// nlohmann's own tree and dump() recurse, and ours must not: deeper texts are for our decoder alone.
bool is_deep(std::string_view text) {
  return std::ranges::count_if(text, [](char c) { return c == '[' || c == '{'; }) > 500;
}

void decodes(std::string_view input, const Decoded& decoded) {
  const std::string text = encode_utf8(decode_utf8(input));
  const json tree = json::parse(text, nullptr, false);
  demand(tree.is_object(), "only an object is decoded");
  // The tree keeps the last of equal names, we keep all.
  std::map<std::string, std::string> last;
  for (const auto& [name, value] : decoded.pairs) {
    demand(is_utf8(name) && is_utf8(value), "names and values are UTF-8");
    last[name] = value;
  }
  demand(last.size() == tree.size(), "every member is a field");
  for (const auto& [name, value] : tree.items()) {
    demand(last.contains(name), "a field has its member's name");
    const std::string& ours = last[name];
    if (value.is_string())
      demand(ours == value.get<std::string>(), "a string is as it is");
    else
      demand(json::parse(ours, nullptr, false) == value, "another value is its JSON text");
    if (value.is_structured()) demand(ours.find('\n') == ours.npos, "nested values are compact");
  }
}

void writes(std::string_view input) {
  const std::string valid = encode_utf8(decode_utf8(input));
  demand(json::parse(json_string(input)) == valid, "json_string() can be read back");

  AlertView view;
  view.alert.fields = {{std::string(input.substr(0, input.size() / 2)), std::string(input)},
                       {"signature", "never-shown"},
                       {std::string(input), "x"}};
  view.alert.severity = input;
  view.deliveries.push_back({"page", "pending", 1, "", "exit 1", std::string(input)});
  const std::string line = to_json(view, {{"action", json_string(input)}});
  demand(std::ranges::none_of(line, [](unsigned char c) { return c < 0x20; }), "the object is one line");
  const json object = json::parse(line);
  demand(object["fields"]["signature"] == "***", "the signature is masked");
  demand(object["deliveries"][0]["output"] == valid && object["action"] == valid, "values can be read back");
}

}  // namespace

FUZZ_TARGET(json) {
  const DecodeResult result = decode_json(input);
  if (is_deep(input)) return;
  if (const auto* decoded = std::get_if<Decoded>(&result)) {
    decodes(input, *decoded);
  } else {
    const auto& why = std::get<Undecodable>(result);
    const json tree = json::parse(encode_utf8(decode_utf8(input)), nullptr, false);
    demand(why.status == 413 ? std::ranges::count(input, ':') > 256 : why.status == 400 && !tree.is_object(),
           "only what is no object, and too many fields, are refused");
    demand(!why.reason.empty(), "a refusal has a reason");
  }
  writes(input);
}

}  // namespace alertspool
