#include "store/copy.h"

#include "alert/alert.h"
#include "store/store_impl.h"
#include "store/url.h"

namespace alertspool {

namespace {

using Rows = std::vector<Row>;
using Work = Connection::Work;
using End = Copied::End;

/// Rows of a transaction.
constexpr std::size_t kPortion = 512;

/// SQL for one table. A range of rows is those whose key is behind `after`, up to `until`; an empty one is no bound.
class TableSql {
public:
  TableSql(const sql::Table& table, bool closed)
      : name_(closed && std::string_view(table.name) == "alert" ? sql::kClosedAlert : table.name),
        types_(table.types),
        key_types_(types_.substr(0, table.key_columns)) {
    const std::vector<std::string> columns = split(table.columns, ' ');
    for (std::size_t i = 0; i < columns.size(); ++i) {
      const std::string comma = i == 0 ? "" : ", ", &column = columns[i];
      columns_ += comma + column;
      values_ += comma + (types_[i] == 'i' ? "CAST(" + column + " AS BIGINT)" : column);
      if (i < key_types_.size()) key_ += comma + column;
      if (i < key_types_.size()) marks_ += comma + "?";
      if (i == 0) first_ = column;
    }
  }

  Row key_of(const Row& row) const {
    return {row.begin(), row.begin() + static_cast<Row::difference_type>(key_types_.size())};
  }
  Rows read(Session& session, const Row& after, std::size_t limit) const {
    return run(session, "SELECT " + columns_ + " FROM " + name_, after, {}, types_,
               " ORDER BY " + key_ + " LIMIT " + std::to_string(limit));
  }
  /// Puts these rows in the place of those of the range.
  void replace(Session& session, const Row& after, const Row& until, const Rows& rows) const {
    run(session, "DELETE FROM " + name_, after, until, "");
    std::vector<Value> values;
    for (const Row& row : rows) values.insert(values.end(), row.begin(), row.end());
    const std::string sql = "WITH v (" + columns_ + ") AS ({rows}) INSERT INTO " + name_ + " (" + columns_ +
                            ") SELECT " + values_ + " FROM v WHERE " + first_ + " IS NOT NULL";
    session.run_rows({sql.c_str(), types_.c_str(), "", ""}, std::move(values));
  }
  std::int64_t count(Session& session) const {
    return integer(run(session, "SELECT count(*) FROM " + name_, {}, {}, "i")[0][0]);
  }

private:
  Rows run(Session& session, std::string sql, const Row& after, const Row& until, const std::string& out,
           const std::string& end = "") const {
    std::vector<Value> values;
    std::string types;
    const auto bound = [&](const Row& key, const char* compare) {
      if (key.empty()) return;
      sql += (types.empty() ? " WHERE (" : " AND (") + key_ + compare + marks_ + ')';
      types += key_types_;
      values.insert(values.end(), key.begin(), key.end());
    };
    bound(after, ") > (");
    bound(until, ") <= (");
    sql += end;
    return session.run({sql.c_str(), "", types.c_str(), out.c_str()}, values);
  }

  const std::string name_, types_, key_types_;
  std::string columns_, values_, key_, marks_, first_;
};

/// What one side has of a table.
struct Tally {
  std::int64_t rows = 0;
  std::string digest;

  bool operator==(const Tally&) const = default;
  std::string text() const { return std::to_string(rows) + " rows of digest " + digest.substr(0, 16); }
  /// Each row is hashed with the digest of those before it, each value with its length.
  void add(const Rows& more) {
    rows += static_cast<std::int64_t>(more.size());
    for (const Row& row : more) {
      std::string line = digest;
      for (const Value& value : row) {
        if (const auto* number = std::get_if<std::int64_t>(&value)) line += 'i' + std::to_string(*number);
        if (const auto* words = std::get_if<std::string>(&value))
          line += 's' + std::to_string(words->size()) + ':' + *words;
        line += ';';
      }
      digest = sha256_hex(line);
    }
  }
};

struct State {
  std::int64_t version = 0;
  std::string peer;
  std::int64_t last_id = 0;

  bool closed() const noexcept { return version != sql::kSchemaVersion; }
};

class Copy {
public:
  Copy(const StoreSettings& from, const StoreSettings& to, const std::string& host, const Clock& clock,
       const CopyProgress& progress)
      : source_(Connection::make(from, StoreUse::drain, clock)),
        target_(Connection::make(to, StoreUse::fill, clock)),
        from_(copy_name(from.url, host)),
        to_(copy_name(to.url, host)),
        progress_(progress) {}

  Copied run() {
    const State source = state_of(*source_);
    if (source.closed() && (source.version != sql::kMoved || source.peer != to_))
      return {End::refused, why_closed("spool " + from_, source.version, source.peer)};
    if (!source.closed() && !alone()) return {End::served};
    target_->init();
    const State target = state_of(*target_);
    if (source.closed() && !target.closed() && target.last_id >= source.last_id) return {End::moved};
    if (target.closed() && target.peer != from_)
      return {End::refused, why_closed("spool " + to_, target.version, target.peer)};
    if (!take(target.closed())) return {End::refused, "spool " + to_ + " holds alerts of its own: copy to a new one"};
    if (!source.closed()) {
      if (state_of(*source_).closed()) {
        open_target(0);
        return {End::refused, "spool " + to_ + " is the one that is to be copied"};
      }
      for (const sql::Table& table : sql::kCopied)
        copy(table, false, [&](const Work& work) { source_->read("copy", work); });
    }
    return finish(source.closed());
  }

private:
  static State state_of(Connection& connection) {
    State state;
    connection.read("copy", [&](Session& session) {
      state.version = integer(session.run(sql::kReadVersion)[0][0]);
      for (const Row& row : session.run(sql::kReadPeer)) state.peer = text(row[0]);
      state.last_id = connection.last_id(session);
    });
    return state;
  }

  bool alone() {
    bool alone = false;
    source_->write("copy", {}, [&](Session& session) { alone = source_->exclude_others(session); });
    return alone;
  }

  static void close(Session& session, bool closed, std::int64_t version, const std::string& peer) {
    if (!closed) session.execute(sql::kClose);
    session.run(sql::kSetVersion, {version});
    session.run(sql::kForgetPeer);
    session.run(sql::kWritePeer, {peer});
  }

  /// Closes the target. False: it was open and holds alerts, and stays as it is. Looked for when nobody can store any.
  bool take(bool closed) {
    bool ours = true;
    target_->write("copy", {}, [&](Session& session) {
      close(session, closed, sql::kUnfinished, from_);
      ours = closed || TableSql(sql::kCopied[0], true).count(session) == 0;
      if (!ours) open(session);
    });
    return ours;
  }

  static void open(Session& session) {
    session.execute(sql::kReopen);
    session.run(sql::kSetVersion, {sql::kSchemaVersion});
    session.run(sql::kForgetPeer);
  }

  void open_target(std::int64_t last_id) {
    target_->write("copy", {}, [&](Session& session) {
      target_->raise_last_id(session, last_id);
      open(session);
    });
  }

  /// Makes the target's table what the source's is, which `read_source` reads. Returns what both have.
  std::pair<Tally, Tally> copy(const sql::Table& table, bool closed,
                               const std::function<void(const Work&)>& read_source) {
    const TableSql from(table, closed), to(table, true);
    Tally ours, theirs;
    Row after, until;
    for (bool more = true; more; after = std::exchange(until, {})) {
      Rows rows, there;
      read_source([&](Session& session) { rows = from.read(session, after, kPortion); });
      more = rows.size() == kPortion;
      if (more) until = from.key_of(rows.back());
      const auto look = [&](Session& session) { there = to.read(session, after, kPortion); };
      target_->read("copy", look);
      if (there != rows) {
        target_->check_room();
        target_->write("copy", {}, [&](Session& session) { to.replace(session, after, until, rows); });
        target_->read("copy", look);
      }
      ours.add(rows);
      theirs.add(there);
      progress_(table.name, ours.rows);
    }
    target_->read("copy", [&](Session& session) { theirs.rows = to.count(session); });
    return {ours, theirs};
  }

  /// All again while nobody else writes, so that the source can be closed in the same transaction.
  Copied finish(bool closed) {
    Copied copied;
    std::int64_t last_id = 0;
    source_->write("copy", {}, [&](Session& session) {
      if (!closed && !source_->exclude_others(session)) {
        copied.end = End::served;
        return;
      }
      if (!closed) session.run(sql::kEndLeases, {source_->now(session), "", INT64_MAX});
      for (const sql::Table& table : sql::kCopied) {
        const auto [ours, theirs] = copy(table, closed, [&](const Work& work) { work(session); });
        copied.tables.push_back({table.name, ours.rows});
        copied.digest = sha256_hex(copied.digest + ours.digest);
        if (ours != theirs) {
          copied.end = End::refused;
          copied.why = std::string("table ") + table.name + " differs: " + ours.text() + " in " + from_ + ", " +
                       theirs.text() + " in " + to_;
          return;
        }
      }
      last_id = source_->last_id(session);
      close(session, closed, sql::kMoved, to_);
    });
    if (copied.end == End::moved) open_target(last_id);
    return copied;
  }

  const std::unique_ptr<Connection> source_, target_;
  const std::string from_, to_;
  const CopyProgress& progress_;
};

}  // namespace

Copied copy_spool(const StoreSettings& from, const StoreSettings& to, const std::string& host, const Clock& clock,
                  const CopyProgress& progress) {
  return Copy(from, to, host, clock, progress).run();
}

std::string copy_name(const std::string& url, const std::string& host) {
  return file_of_url(url).empty() ? public_url(url) : url + " on " + host;
}

}  // namespace alertspool
