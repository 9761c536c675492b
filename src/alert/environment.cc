#include "alert/environment.h"

#include "base/time.h"

#include <algorithm>
#include <unordered_set>

namespace alertspool {
namespace {

constexpr const char* kPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What the kernel counts for a variable beside its text: NUL and pointer.
constexpr std::size_t kOverhead = 1 + sizeof(char*);

/// Kept back: the names that are always set (3 KiB would do) and the list of those cut.
constexpr std::size_t kReserve = std::size_t{16} * 1024;
constexpr std::size_t kMaxTruncated = std::size_t{8} * 1024;

/// As much of the value as a variable can hold and `room` allows, whole characters.
std::string_view cut(std::string_view value, std::size_t room) {
  value = value.substr(0, value.find('\0'));
  if (value.size() <= room) return value;
  while (room > 0 && (value[room] & 0xC0) == 0x80) --room;
  return value.substr(0, room);
}

/// The variables so far, and the room that is left for more.
class Variables {
public:
  explicit Variables(std::vector<std::string> base) : all_(std::move(base)) {
    for (const auto& variable : all_) left_ -= std::min(left_, variable.size() + kOverhead);
  }

  /// The first of each name. For a name that is always set there is room, whatever the values are.
  void set(const std::string& name, std::string_view value, bool always = true) {
    if (!names_.insert(name).second) return;
    const std::size_t bare = name.size() + 1;
    const std::size_t cost = always ? 0 : bare + kOverhead;
    if (bare > kMaxVariable || cost > left_) return note(name);
    const auto kept = cut(value, std::min(left_ - cost, kMaxVariable - bare));
    if (kept.size() < value.size()) note(name);
    left_ -= cost + kept.size();
    all_.push_back((name + "=").append(kept));
  }

  /// Those that the sender named; a name that is no variable's is passed over.
  void set_all(const std::string& prefix, const Fields& fields) {
    for (const auto& [field, value] : fields) {
      const auto snake = upper_snake(field);
      if (!snake.empty() && prefix + snake != "CMS_SIGNATURE") set(prefix + snake, value == "null" ? "" : value, false);
    }
  }

  std::vector<std::string> finish() && {
    all_.push_back("ALERTSPOOL_TRUNCATED=" + truncated_);
    return std::move(all_);
  }

private:
  void note(std::string_view name) {
    if (truncated_.ends_with("...")) return;
    const bool fits = truncated_.size() + name.size() < kMaxTruncated;
    truncated_.append(truncated_.empty() ? "" : " ").append(fits ? name : "...");
  }

  std::vector<std::string> all_;
  std::unordered_set<std::string> names_;
  std::string truncated_;
  std::size_t left_ = kMaxEnvironment - kReserve;
};

}  // namespace

std::vector<std::string> base_environment(const char* const* own) {
  std::vector<std::string> base = {kPath, "HOME=/", "LANG=C.UTF-8"};
  for (; *own != nullptr; ++own) {
    const std::string_view variable = *own;
    if (variable.starts_with("HOME=/")) base[1] = variable;
    if (variable.starts_with("LANG=") && variable != "LANG=") base[2] = variable;
    if (variable.starts_with("TZ=")) base.emplace_back(variable);
  }
  return base;
}

std::vector<std::string> environment(const Stored& stored, const Attempt& attempt, const Alert& alert,
                                     std::vector<std::string> base) {
  Variables variables(std::move(base));
  variables.set("ALERTSPOOL_ID", std::to_string(stored.id));
  variables.set("ALERTSPOOL_UID", alert.digest);
  variables.set("ALERTSPOOL_TEST", stored.test ? "1" : "0");
  variables.set("ALERTSPOOL_TOKEN", alert.origin.token);
  variables.set("ALERTSPOOL_ACTION", attempt.action);
  variables.set("ALERTSPOOL_ATTEMPT", std::to_string(attempt.number));
  variables.set("ALERTSPOOL_RECEIVED", stored.received);
  variables.set("ALERTSPOOL_TIME", alert.time_ms ? to_rfc3339(WallTime(milliseconds(*alert.time_ms))) : "");
  variables.set("ALERTSPOOL_ALARM", alert.alarm);
  variables.set("ALERTSPOOL_SEVERITY", alert.severity);
  variables.set("ALERTSPOOL_REMOTE_ADDR", alert.origin.remote_addr);
  for (const auto name : documented_fields()) variables.set("CMS_" + upper_snake(name), value_of(alert.fields, name));
  variables.set_all("ALERTSPOOL_URL_", alert.origin.url);
  variables.set_all("CMS_DIMENSION_", alert.dimensions);
  variables.set_all("CMS_", alert.fields);
  return std::move(variables).finish();
}

std::string upper_snake(std::string_view name) {
  std::string snake;
  bool before_capital = false;  // a small letter or a digit, which a capital after it is parted from
  for (const char c : name) {
    const bool small = c >= 'a' && c <= 'z';
    const bool capital = c >= 'A' && c <= 'Z';
    const bool digit = c >= '0' && c <= '9';
    if (!small && !capital && !digit && c != '_') return {};
    if (capital && before_capital) snake += '_';
    snake += small ? static_cast<char>(c - 'a' + 'A') : c;
    before_capital = small || digit;
  }
  return snake;
}

}  // namespace alertspool
