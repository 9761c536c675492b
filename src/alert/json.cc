#include "alert/json.h"

#include "base/text.h"

#include <unordered_set>

namespace alertspool {

namespace {

void append_escape(std::string& out, char c) {
  constexpr std::string_view specials = "\"\\\b\f\n\r\t";
  constexpr std::string_view letters = "\"\\bfnrt";
  if (const auto which = specials.find(c); which != std::string_view::npos)
    out.append("\\").append(1, letters[which]);
  else
    out.append("\\u00").append(to_hex({&c, 1}));
}

void append_string(std::string& out, std::string_view text) {
  out += '"';
  for (const char c : to_valid_utf8(text)) {
    if (static_cast<unsigned char>(c) < 0x20 || c == '"' || c == '\\')
      append_escape(out, c);
    else
      out += c;
  }
  out += '"';
}

/// A member's name, with the comma that separates it from the one before.
void append_name(std::string& out, std::string_view name) {
  if (out.back() != '{') out += ',';
  append_string(out, name);
  out += ':';
}

std::string to_json(const DeliveryView& delivery) {
  return json_object({{"action", json_string(delivery.action)},
                      {"state", json_string(delivery.state)},
                      {"attempts", std::to_string(delivery.attempts)},
                      {"due", json_string(delivery.due)},
                      {"last", json_string(delivery.last)},
                      {"output", json_string(delivery.output)}});
}

Fields masked(Fields fields) {
  for (auto& [name, value] : fields)
    if (name == "signature") value = "***";
  return fields;
}

}  // namespace

std::string json_string(std::string_view text) {
  std::string out;
  append_string(out, text);
  return out;
}

std::string json_object(const std::vector<JsonMember>& members) {
  std::string out = "{";
  for (const auto& [name, json] : members) {
    append_name(out, name);
    out += json;
  }
  return out + "}";
}

std::string json_array(const std::vector<std::string>& values) {
  std::string out = "[";
  for (const auto& json : values) out.append(out.size() > 1 ? "," : "").append(json);
  return out + "]";
}

std::string json_fields(const Fields& fields) {
  std::unordered_set<std::string_view> seen;
  std::string out = "{";
  for (const auto& [name, value] : fields) {
    if (!seen.insert(name).second) continue;
    append_name(out, name);
    append_string(out, value);
  }
  return out + "}";
}

std::string to_json(const AlertView& view, const std::vector<JsonMember>& extra) {
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
                                     {"fields", json_fields(masked(view.alert.fields))},
                                     {"deliveries", json_array(deliveries)}};
  members.insert(members.end(), extra.begin(), extra.end());
  return json_object(members);
}

}  // namespace alertspool
