/// sample and url: a realistic callback body, and the URL to send such ones to.

#include "alert/decode.h"
#include "alert/json.h"
#include "main/operator.h"

#include <algorithm>
#include <cctype>
#include <iostream>

namespace alertspool {
namespace {

/// Every field that was captured in 2023 and documented in 2024, with invented ids.
constexpr std::string_view kSample =
    "alertName=memory+use&alertState=ALERT&curValue=97.39&expression=%24Average%3E%3D95&groupId=62288888"
    "&dimensions=%7BuserId%3D1234567890123456%2C+instanceId%3Di-sample%7D&instanceName=web-1%2F192.0.2.17"
    "&lastTime=2%E5%88%86%E9%92%9F&metricName=%E5%86%85%E5%AD%98%E4%BD%BF%E7%94%A8%E7%8E%87&metricProject=acs_ecs"
    "&namespace=acs_ecs&preTriggerLevel=WARN&productGroupName=shop-prod&rawMetricName=memory_usedutilization"
    "&regionId=ap-southeast-1&regionName=Singapore&ruleId=applyTemplate00000000-0000-4000-8000-000000000000"
    "&signature=AAAAAAAAAAAAAAAAAAAAAAAAAAA%3D&timestamp=0&transId=00000000-0000-11ee-8000-000000000000"
    "&triggerLevel=WARN&unit=%25&userId=1234567890123456";

/// A system event as the vendor documents it, without its `content`.
constexpr std::string_view kSampleEvent =
    "product=ECS&resourceId=acs:ecs:ap-southeast-1:1234567890123456:instance/i-sample&level=WARN&instanceName=web-1"
    "&userId=1234567890123456&regionId=ap-southeast-1&name=Instance:StateChange&status=Normal&eventTime=&ver=1.0"
    "&id=00000000-0000-4000-8000-000000000000&traceId=00000000-0000-4000-8000-000000000001";

/// The form's fields, changed by these and then by those.
Fields changed(std::string_view form, std::vector<std::string> changes, const std::vector<std::string>& more) {
  Fields fields = std::get<Decoded>(decode_form(form)).pairs;
  changes.insert(changes.end(), more.begin(), more.end());
  for (const std::string& word : changes) {
    const std::size_t equals = word.find('=');
    if (equals == 0 || equals == word.npos) throw UsageError("'" + word + "': write FIELD=VALUE");
    const std::string name = word.substr(0, equals);
    auto at = std::find_if(fields.begin(), fields.end(), [&](const Field& field) { return field.first == name; });
    if (at == fields.end()) at = fields.insert(at, {name, ""});
    at->second = word.substr(equals + 1);
  }
  return fields;
}

std::string sample_event(WallTime now, const std::vector<std::string>& changes) {
  std::string time = to_rfc3339(now + std::chrono::hours(8)) + "+0800";  // 20210224T011113.709+0800
  std::erase_if(time, [](char c) { return c == '-' || c == ':' || c == 'Z'; });
  const Fields fields = changed(kSampleEvent, {"eventTime=" + time}, changes);
  std::vector<JsonMember> members;
  if (find(fields, "content") == nullptr)
    members.emplace_back("content", json_fields({{"resourceId", "i-sample"}, {"state", "Stopped"}}));
  for (const auto& [name, value] : fields) members.emplace_back(name, json_string(value));
  return json_object(members);
}

int sample(const Arguments& arguments) {
  const WallTime now = SystemClock().wall();
  const auto& changes = arguments.positional;
  std::cout << (arguments.has("json") ? sample_event(now, changes) : encode_form(sample_fields(now, changes)));
  return kOk;
}

/// `token=SECRET` of the token that is named, or of the only one; empty when none is configured.
std::string parameter_of(const std::vector<Token>& tokens, const std::string& name) {
  if (name.empty() && tokens.empty()) return "";
  if (name.empty() && tokens.size() == 1) return "token=" + tokens.front().secret;
  std::string known;
  for (const Token& token : tokens) {
    if (token.name == name) return "token=" + token.secret;
    known += " " + token.name;
  }
  throw UsageError("url: name one token of token-file with --token NAME:" +
                   (tokens.empty() ? " none is configured" : known));
}

int url(const Arguments& arguments) {
  const std::string base = arguments.positional.empty() ? "" : arguments.positional.front();
  const bool encrypted = base.starts_with("https://");
  if (arguments.positional.size() != 1 || (!encrypted && !base.starts_with("http://")))
    throw UsageError("url takes one argument: https://HOST/PATH of the receiver");
  const std::string parameter = parameter_of(config_of(arguments).access.tokens, arguments.value("token"));
  if (!parameter.empty() && !encrypted)
    std::cerr << "alertspool: http:// shows the token to everybody on the way: use https://\n";
  std::cout << base;
  if (!parameter.empty()) std::cout << (base.find('?') == base.npos ? "?" : "&") << parameter;
  std::cout << "\n";
  return kOk;
}

}  // namespace

Fields sample_fields(WallTime now, const std::vector<std::string>& changes) {
  std::vector<std::string> own{"timestamp=" + std::to_string(now.time_since_epoch().count())};
  // What CloudMonitor sends with it, though it documents no such level.
  if (std::ranges::find(changes, "alertState=OK") != changes.end())
    own.insert(own.end(), {"triggerLevel=OK", "curValue=12.45"});
  return changed(kSample, own, changes);
}

std::string encode_form(const Fields& fields) {
  static const char kHex[] = "0123456789ABCDEF";
  std::string form;
  const auto append = [&](const std::string& text) {
    for (const char c : text) {
      const auto byte = static_cast<unsigned char>(c);
      if (c == ' ')
        form += '+';
      else if ((byte < 0x80 && std::isalnum(byte)) || std::string_view("*-._").find(c) != std::string_view::npos)
        form += c;
      else
        form.append({'%', kHex[byte >> 4], kHex[byte & 15]});
    }
  };
  for (const auto& [name, value] : fields) {
    if (!form.empty()) form += '&';
    append(name);
    form += '=';
    append(value);
  }
  return form;
}

Request callback_request(const std::string& from, const std::string& content_type, const std::string& body) {
  return {"POST", from, 1, "", content_type, std::to_string(body.size()), body};
}

const Verb kSampleVerb{"sample",
                       "[FIELD=VALUE...]",
                       "prints a realistic callback body, for curl --data-binary @-",
                       {{"json", "", "a system event as JSON instead of an alert"}},
                       sample};

const Verb kUrlVerb{"url",
                    "BASE",
                    "prints the callback URL to paste into the console",
                    {{"token", "NAME", "which token of the token file; not needed when it holds one"}},
                    url};

}  // namespace alertspool
