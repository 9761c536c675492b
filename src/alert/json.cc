#include "alert/json.h"

#include "alert/decode.h"
#include "base/text.h"

#include <nlohmann/json.hpp>

namespace alertspool {
namespace {

/// Collects the members of one object while the text is parsed. No tree: that would lose the first of two equal names
/// and the digits of long numbers, and nlohmann's dump() recurses, which 30,000 brackets would turn into a stack
/// overflow.
class MemberReader final : public nlohmann::json_sax<nlohmann::json> {
public:
  explicit MemberReader(std::size_t max_fields) : max_fields_(max_fields) {}

  bool null() override { return scalar("null"); }
  bool boolean(bool value) override { return scalar(value ? "true" : "false"); }
  bool number_integer(number_integer_t value) override { return scalar(std::to_string(value)); }
  bool number_unsigned(number_unsigned_t value) override { return scalar(std::to_string(value)); }
  bool number_float(number_float_t, const string_t& text) override { return scalar(text); }
  bool string(string_t& value) override { return scalar(depth_ == 1 ? value : json_string(value)); }
  bool binary(binary_t&) override { return false; }
  bool start_object(std::size_t) override { return depth_ == 0 ? ++depth_, true : open('{'); }
  bool start_array(std::size_t) override { return open('['); }
  bool end_object() override { return close('}'); }
  bool end_array() override { return close(']'); }

  bool key(string_t& name) override {
    if (depth_ > 1) return append(json_string(name) + ':');
    if (pairs.size() == max_fields_) return refuse({413, "more than " + std::to_string(max_fields_) + " fields"});
    pairs.emplace_back(name, "");
    return true;
  }

  bool parse_error(std::size_t position, const std::string&, const nlohmann::json::exception&) override {
    return refuse({400, "broken JSON at byte " + std::to_string(position)});
  }

  Fields pairs;
  Undecodable why_not;

private:
  bool scalar(std::string_view text) { return depth_ == 0 ? refuse({400, "JSON, but no object"}) : append(text); }

  bool open(char bracket) {
    if (!scalar({&bracket, 1})) return false;
    ++depth_;
    return true;
  }

  bool close(char bracket) {
    if (--depth_ > 0) pairs.back().second += bracket;
    return true;
  }

  /// The comma goes before everything that follows a complete value.
  bool append(std::string_view text) {
    std::string& value = pairs.back().second;
    if (depth_ > 1 && std::string_view("{[:").find(value.back()) == std::string_view::npos) value += ',';
    value += text;
    return true;
  }

  bool refuse(Undecodable why) {
    why_not = std::move(why);
    return false;
  }

  std::size_t max_fields_;
  std::size_t depth_ = 0;
};

std::string to_json(const DeliveryView& delivery) {
  return json_object({{"action", json_string(delivery.action)},
                      {"state", json_string(delivery.state)},
                      {"attempts", std::to_string(delivery.attempts)},
                      {"due", json_string(delivery.due)},
                      {"last", json_string(delivery.last)},
                      {"output", json_string(delivery.output)}});
}

}  // namespace

DecodeResult decode_json(std::string_view body, std::size_t max_fields) {
  Decoded result;
  const std::string text = to_valid_utf8(body, &result.repaired_utf8);
  MemberReader reader(max_fields);
  if (!nlohmann::json::sax_parse(text, &reader)) return reader.why_not;
  result.pairs = std::move(reader.pairs);
  return result;
}

std::string json_string(std::string_view text) {
  // Nearly all names and values, in a third of the time.
  if (is_plain(text) && text.find('"') == text.npos) return '"' + std::string(text) + '"';
  return nlohmann::json(to_valid_utf8(text)).dump();
}

std::string json_object(const std::vector<JsonMember>& members) {
  std::string out = "{";
  for (const auto& [name, json] : members) out.append(out.size() > 1 ? "," : "").append(json_string(name) + ':' + json);
  return out + "}";
}

std::string json_array(const std::vector<std::string>& values) {
  std::string out = "[";
  for (const auto& json : values) out.append(out.size() > 1 ? "," : "").append(json);
  return out + "]";
}

std::string json_fields(const Fields& fields) {
  std::vector<JsonMember> members;
  for (const auto& [name, value] : fields) members.emplace_back(name, json_string(value));
  return json_object(members);
}

std::string to_json(const AlertView& view, const std::vector<JsonMember>& extra) {
  Fields fields = first_of_each(view.alert.fields);
  for (auto& [name, value] : fields)
    if (name == "signature") value = "***";
  std::vector<std::string> deliveries;
  for (const auto& delivery : view.deliveries) deliveries.push_back(to_json(delivery));
  std::vector<JsonMember> members = {{"id", std::to_string(view.stored.id)},
                                     {"received", json_string(view.stored.received)},
                                     {"remote_addr", json_string(view.alert.origin.remote_addr)},
                                     {"state", json_string(view.state)},
                                     {"alarm", json_string(view.alert.alarm)},
                                     {"severity", json_string(view.alert.severity)},
                                     {"test", view.stored.test ? "true" : "false"},
                                     {"token", json_string(view.alert.origin.token)},
                                     {"duplicates", std::to_string(view.duplicates)},
                                     {"fields", json_fields(fields)},
                                     {"deliveries", json_array(deliveries)}};
  members.insert(members.end(), extra.begin(), extra.end());
  return json_object(members);
}

}  // namespace alertspool
