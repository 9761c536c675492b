#include "alert/alert.h"

#include "alert/decode.h"
#include "base/text.h"
#include "base/time.h"

#include <nettle/memops.h>
#include <nettle/sha2.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace alertspool {
namespace {

std::string sha256(std::string_view bytes) {
  sha256_ctx context;
  sha256_init(&context);
  sha256_update(&context, bytes.size(), reinterpret_cast<const std::uint8_t*>(bytes.data()));
  std::string digest(SHA256_DIGEST_SIZE, '\0');
  sha256_digest(&context, digest.size(), reinterpret_cast<std::uint8_t*>(digest.data()));
  return digest;
}

/// With its length in front: nothing that a sender can write makes two different lists read the same.
void add_text(std::string& identity, std::string_view text) {
  identity.append(std::to_string(text.size())).append(":").append(text);
}

/// The fields sorted by name, those of one name as they came, without those that are `left_out`.
void add_sorted(std::string& identity, const Fields& fields, bool (*left_out)(std::string_view, std::string_view)) {
  std::vector<const Field*> sorted;
  sorted.reserve(fields.size());
  for (const Field& field : fields)
    if (!left_out(field.first, field.second)) sorted.push_back(&field);
  std::ranges::sort(sorted, {}, [](const Field* field) { return std::pair(std::string_view(field->first), field); });
  for (const Field* field : sorted) {
    add_text(identity, field->first);
    add_text(identity, field->second);
  }
}

std::string digest_of(const Alert& alert) {
  std::string identity;  // gathered first: hashing it piece by piece takes longer
  identity.reserve(1024);
  add_sorted(identity, alert.fields, [](auto name, auto) { return name == "lastTime" || name == "signature"; });
  identity += "url";
  add_sorted(identity, alert.origin.url, [](auto, auto) { return false; });
  return sha256_hex(identity);
}

/// REQUIRES: digest and dimensions are there.
std::string alarm_of(const Alert& alert) {
  const auto value = [&](std::string_view name) { return value_of(alert.fields, name); };
  const auto raw_metric = value("rawMetricName");
  const auto metric = raw_metric.empty() ? value("metricName") : raw_metric;
  std::vector<std::string_view> parts;
  if (!value("ruleId").empty()) {
    parts = {"rule", value("ruleId")};
  } else if (!value("alertName").empty() || !metric.empty()) {
    parts = {"name", value("alertName"), metric};
  } else {
    parts = {"event", value("product"), value("name"), value("resourceId")};
    if (parts[1].empty() && parts[2].empty() && parts[3].empty()) return alert.digest.substr(0, 16);
  }
  std::string identity;
  for (const auto part : parts) add_text(identity, part);
  add_text(identity, value("userId"));
  if (alert.dimensions.empty()) add_text(identity, value("dimensions"));
  add_sorted(identity, alert.dimensions, [](auto, auto text) { return text == "null"; });
  return sha256_hex(identity).substr(0, 16);
}

std::string_view severity_of(const Alert& alert) noexcept {
  if (clears(alert)) return value_of(alert.fields, "preTriggerLevel");
  const auto level = value_of(alert.fields, "triggerLevel");
  return level.empty() ? value_of(alert.fields, "level") : level;
}

std::optional<std::int64_t> time_of(const Alert& alert) {
  constexpr std::uint64_t kFirstMilliseconds = 100'000'000'000;  // as seconds it would be in the year 5138
  constexpr std::uint64_t kEndOfYear9999 = 253'402'300'799'999;
  auto ms = parse_number(value_of(alert.fields, "timestamp"));
  if (ms && *ms < kFirstMilliseconds) *ms *= 1000;
  const auto event = value_of(alert.fields, "eventTime");  // `20210224T011113.709+0800`
  const bool has_zone = event.find_first_of("Z+-", std::strlen("2021-02-24")) != event.npos;  // else: whose local time?
  if (const auto time = ms || !has_zone ? std::nullopt : parse_time(event)) {
    if (time->time_since_epoch().count() >= 0) ms = time->time_since_epoch().count();
  }
  return ms && *ms <= kEndOfYear9999 ? ms : std::nullopt;
}

}  // namespace

std::string sha256_hex(std::string_view bytes) {
  return to_hex(sha256(bytes));
}

bool equal_secrets(std::string_view a, std::string_view b) {
  return memeql_sec(sha256(a).data(), sha256(b).data(), SHA256_DIGEST_SIZE) != 0;
}

std::span<const std::string_view> documented_fields() noexcept {
  static constexpr std::string_view kNames[] = {
      "alertState", "triggerLevel",     "alertName", "instanceName",    "metricName", "curValue",
      "unit",       "expression",       "lastTime",  "preTriggerLevel", "dimensions", "namespace",
      "ruleId",     "metricProject",    "userId",    "rawMetricName",   "transId",    "timestamp",
      "groupId",    "productGroupName", "regionId",  "regionName"};
  return kNames;
}

bool clears(const Alert& alert) noexcept {
  return value_of(alert.fields, "alertState") == "OK";
}

bool fires(const Alert& alert) noexcept {
  return value_of(alert.fields, "alertState") == "ALERT";
}

Alert make_alert(Origin origin, Fields fields, bool repaired_utf8) {
  Alert alert;
  alert.origin = std::move(origin);
  alert.fields = std::move(fields);
  alert.dimensions = decode_dimensions(value_of(alert.fields, "dimensions"));
  alert.severity = severity_of(alert);
  alert.digest = digest_of(alert);
  alert.alarm = alarm_of(alert);
  alert.time_ms = time_of(alert);
  if (repaired_utf8) alert.flags.push_back("invalid-utf8");
  const auto repeats = [&](const Field& field) { return find(alert.fields, field.first) != &field.second; };
  if (std::ranges::any_of(alert.fields, repeats)) alert.flags.push_back("repeated-field");
  return alert;
}

std::string_view lookup(const Alert& alert, std::string_view field) noexcept {
  constexpr std::string_view kDimension = "dimension.";
  constexpr std::string_view kUrl = "url.";
  if (field == "severity") return alert.severity;
  if (field == "remoteAddr") return alert.origin.remote_addr;
  if (field == "token") return alert.origin.token;
  if (field.starts_with(kDimension)) return value_of(alert.dimensions, field.substr(kDimension.size()));
  if (field.starts_with(kUrl)) return value_of(alert.origin.url, field.substr(kUrl.size()));
  return value_of(alert.fields, field);
}

}  // namespace alertspool
