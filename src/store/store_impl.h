/// What the parts of Store share.

#pragma once

#include "base/text.h"
#include "store/connection.h"
#include "store/sql.h"

#include <map>
#include <optional>
#include <set>
#include <utility>

namespace alertspool {

struct Store::Impl {
  Impl(StoreSettings settings, StoreUse use, const Clock& clock)
      : connection(Connection::make(std::move(settings), use, clock)) {}

  /// Throws StoreFull. Counts what waits only as often as the limit could have been reached since.
  void check_waiting(std::size_t more);
  /// The first of each of these lanes becomes due.
  void settle(Session& session, const std::set<std::pair<std::string, std::string>>& lanes, std::int64_t now);

  const std::unique_ptr<Connection> connection;
  std::int64_t room_left = 0;  ///< deliveries that surely fit before the next count
  SteadyTime next_count{};
  SteadyTime next_room_check{};
};

inline std::int64_t ms(WallTime time) noexcept {
  return time.time_since_epoch().count();
}
inline WallTime wall(std::int64_t time) noexcept {
  return WallTime(milliseconds(time));
}

/// One row more, each value made in its place.
template <class... Columns>
void append(std::vector<Value>& values, Columns&&... columns) {
  (values.emplace_back(std::forward<Columns>(columns)), ...);
}

/// The name under which all write that claim, mark and change deliveries.
inline const std::vector<Value> kDeliveries{"deliveries"};

/// How many more deliveries of an action are in a state.
using StateCounts = std::map<std::pair<std::string, std::string>, std::int64_t>;
/// Keeps what `status` says of those that are delivered or dropped; leaves out the others.
void count_ended(Session& session, const StateCounts& more);

/// Of a row that begins with id, received, remote_addr, token, query, content_type, body and test.
Callback callback_of(const Row& row);

inline std::vector<Value> ids(std::span<const std::int64_t> numbers) {
  return {numbers.begin(), numbers.end()};
}

}  // namespace alertspool
