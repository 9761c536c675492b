/// Session: one database connection with prepared statements, the only file that knows SOCI.
///
/// A Statement is SQL with `?` for each value, in order, and the types of what goes in and out: `i` a 64-bit integer,
/// `s` text. `{rows}` becomes `VALUES (?,..),(?,..)` for one row or many: one statement per batch, prepared for powers
/// of two and filled up with rows of NULL, so that its SQL must skip rows whose first column is NULL.
///
/// Any error leaves the session unusable: throw it away (an old prepared statement of SOCI 4.0.3 crashes after
/// reconnecting). Messages never hold values.

#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace alertspool {

using Value = std::variant<std::monostate, std::int64_t, std::string>;
using Row = std::vector<Value>;

struct Statement {
  const char* sql;
  const char* row;   ///< types of one row of {rows}; empty: the SQL has none
  const char* more;  ///< types of the values after the rows
  const char* out;   ///< types of the result's columns
};

/// The database said no, or cannot be reached: its message, without values.
class SqlError : public std::runtime_error {
public:
  using std::runtime_error::runtime_error;
};

class Session {
public:
  /// `backend` is SOCI's name for it; another one than `sqlite3` is loaded when it is first asked for. Throws SqlError.
  Session(const std::string& backend, const std::string& connect);
  ~Session();

  /// SQL without values and results. Throws SqlError.
  void execute(const std::string& sql);

  /// Throws SqlError.
  std::vector<Row> run(const Statement& statement, const std::vector<Value>& more = {});
  /// `rows` holds complete rows one behind the other; any number of them, also none (then nothing happens).
  std::vector<Row> run_rows(const Statement& statement, std::vector<Value> rows, const std::vector<Value>& more = {});

  /// PostgreSQL: the connection's socket.
  int socket() const;
  /// PostgreSQL: what the server warned of while the last statement ran; empty: of nothing.
  const std::string& warning() const noexcept;

private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Reads a column; NULL is 0 or empty.
std::int64_t integer(const Value& value) noexcept;
const std::string& text(const Value& value) noexcept;

}  // namespace alertspool
