#include "store/session.h"

#include "base/text.h"

#include <dlfcn.h>
#include <postgresql/soci-postgresql.h>
#include <soci.h>
#include <sqlite3.h>
#include <version.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <map>
#include <span>

/// Of libsoci_sqlite3: without it SOCI looks for its backend in the file system at run time.
extern "C" void register_factory_sqlite3();

namespace alertspool {

namespace {

constexpr std::size_t kMaxRows = 64;

std::string expand(const Statement& statement, std::size_t rows) {
  std::string row, values = "VALUES ", sql = statement.sql;
  for (std::size_t c = 0; c < std::strlen(statement.row); ++c) row += c == 0 ? "(?" : ",?";
  for (std::size_t r = 0; r < rows; ++r) values += (r == 0 ? "" : ",") + row + ')';
  if (const std::size_t at = sql.find("{rows}"); at != sql.npos) sql.replace(at, std::strlen("{rows}"), values);
  int number = 0;
  for (std::size_t at = 0; (at = sql.find('?', at)) != sql.npos;) sql.replace(at, 1, ":v" + std::to_string(number++));
  return sql;
}

/// A value's place, bound once and filled for each execution: SOCI keeps references.
struct Slot {
  explicit Slot(char of) : type(of) {}

  char type;
  long long integer = 0;
  std::string text;
  soci::indicator state = soci::i_null;

  void set(Value&& value) {
    state = std::holds_alternative<std::monostate>(value) ? soci::i_null : soci::i_ok;
    if (const auto* number = std::get_if<std::int64_t>(&value)) integer = *number;
    if (auto* string = std::get_if<std::string>(&value)) text = std::move(*string);
  }
  Value get() const {
    if (state == soci::i_null) return {};
    return type == 'i' ? Value(std::int64_t{integer}) : Value(text);
  }
};

class Prepared {
public:
  Prepared(soci::session& session, const Statement& statement, std::size_t rows) : statement_(session) {
    const std::string types = repeat(statement.row, rows) + statement.more, out = statement.out;
    in_ = {types.begin(), types.end()};
    out_ = {out.begin(), out.end()};
    for (Slot& slot : in_)
      slot.type == 'i' ? statement_.exchange(soci::use(slot.integer, slot.state))
                       : statement_.exchange(soci::use(slot.text, slot.state));
    for (Slot& slot : out_)
      slot.type == 'i' ? statement_.exchange(soci::into(slot.integer, slot.state))
                       : statement_.exchange(soci::into(slot.text, slot.state));
    statement_.alloc();
    statement_.prepare(expand(statement, rows));
    statement_.define_and_bind();
  }

  /// `rows` may be fewer values than prepared for: the rest is NULL.
  void run(std::span<Value> rows, std::size_t row_values, std::span<const Value> more, std::vector<Row>& result) {
    for (std::size_t i = 0; i < row_values; ++i) in_[i].set(i < rows.size() ? std::move(rows[i]) : Value());
    for (std::size_t i = 0; i < more.size(); ++i) in_[row_values + i].set(Value(more[i]));
    for (bool more_rows = statement_.execute(true); more_rows && !out_.empty(); more_rows = statement_.fetch()) {
      Row& row = result.emplace_back();
      row.reserve(out_.size());
      for (const Slot& slot : out_) row.push_back(slot.get());
    }
  }

private:
  static std::string repeat(const char* types, std::size_t times) {
    std::string all;
    for (std::size_t i = 0; i < times; ++i) all += types;
    return all;
  }

  std::vector<Slot> in_;
  std::vector<Slot> out_;
  soci::statement statement_;
};

/// Once, before the first connection. No locks and no statistics that nobody needs: a connection is used by one thread
/// at a time.
bool prepare_sqlite() {
  sqlite3_config(SQLITE_CONFIG_MULTITHREAD);
  sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
  register_factory_sqlite3();
  return true;
}

/// What we call of libpq and of SOCI's backend for it, which who keeps alerts in SQLite need not have.
struct Libpq {
  Libpq() {
    const std::string name = "libsoci_postgresql.so." + std::to_string(SOCI_VERSION / 100'000) + "." +
                             std::to_string(SOCI_VERSION / 100 % 1'000);
    void* library = dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr)
      throw SqlError(std::string("PostgreSQL needs the package libsoci-postgresql4.0: ") + dlerror());
    find(library, "PQsocket", socket);
    find(library, "PQsetNoticeReceiver", set_notice_receiver);
    find(library, "PQresultErrorField", error_field);
    find(library, "PQresultErrorMessage", error_message);
    void (*enroll)() = nullptr;
    find(library, "register_factory_postgresql", enroll);
    enroll();
  }
  /// The one of this process. Throws SqlError.
  static const Libpq& get() {
    static const Libpq libpq;
    return libpq;
  }

  decltype(&PQsocket) socket = nullptr;
  decltype(&PQsetNoticeReceiver) set_notice_receiver = nullptr;
  decltype(&PQresultErrorField) error_field = nullptr;
  decltype(&PQresultErrorMessage) error_message = nullptr;

private:
  template <class Function>
  static void find(void* library, const char* name, Function*& function) {
    function = reinterpret_cast<Function*>(dlsym(library, name));
    if (function == nullptr) throw SqlError(std::string("libsoci-postgresql4.0 does not have ") + name);
  }
};

PGconn* connection_of(soci::session& session) {
  return static_cast<soci::postgresql_session_backend*>(session.get_backend())->conn_;
}

/// libpq would print it to standard error.
void keep_warning(void* warning, const PGresult* notice) {
  const char* severity = Libpq::get().error_field(notice, PG_DIAG_SEVERITY_NONLOCALIZED);
  if (severity == std::string_view("WARNING")) *static_cast<std::string*>(warning) = Libpq::get().error_message(notice);
}

/// SOCI's what() holds the bound values; its own message does not, but may begin with the name of a function. Behind
/// the first line PostgreSQL tells of values too.
[[noreturn]] void rethrow(const soci::soci_error& error) {
  std::string message = error.get_error_message();
  if (message.starts_with("sqlite3_")) message.erase(0, message.find(": ") + 2);
  constexpr std::string_view noise = "Fatal error. ";
  if (const std::size_t at = message.find(noise); at != message.npos) message.erase(0, at + noise.size());
  throw SqlError(message.substr(0, message.find('\n')));
}

/// libpq has a line for each host that it tried, and hints that begin with a tab.
std::string connect_error(const std::string& message) {
  std::string reasons;
  for (const std::string& line : split(message, '\n')) {
    const bool says = !line.empty() && line.front() != '\t' && line != "Cannot establish connection to the database.";
    if (says) reasons += (reasons.empty() ? "" : "; ") + line;
  }
  return reasons;
}

}  // namespace

struct Session::Impl {
  soci::session session;
  std::map<std::pair<std::string, std::size_t>, std::unique_ptr<Prepared>> prepared;
  std::string warning;

  Prepared& prepare(const Statement& statement, std::size_t rows) {
    auto& slot = prepared[{statement.sql, rows}];
    if (!slot) slot = std::make_unique<Prepared>(session, statement, rows);
    return *slot;
  }
};

Session::Session(const std::string& backend, const std::string& connect) : impl_(std::make_unique<Impl>()) {
  static const bool prepared = prepare_sqlite();
  static_cast<void>(prepared);
  const Libpq* libpq = backend == "postgresql" ? &Libpq::get() : nullptr;
  try {
    impl_->session.open(backend, connect);
  } catch (const soci::soci_error& error) {
    throw SqlError(connect_error(error.get_error_message()));
  }
  if (libpq != nullptr) libpq->set_notice_receiver(connection_of(impl_->session), keep_warning, &impl_->warning);
}

Session::~Session() = default;

void Session::execute(const std::string& sql) {
  try {
    impl_->session.once << sql;
  } catch (const soci::soci_error& error) {
    rethrow(error);
  }
}

std::vector<Row> Session::run(const Statement& statement, const std::vector<Value>& more) {
  std::vector<Row> result;
  impl_->warning.clear();
  try {
    impl_->prepare(statement, 0).run({}, 0, more, result);
  } catch (const soci::soci_error& error) {
    rethrow(error);
  }
  return result;
}

std::vector<Row> Session::run_rows(const Statement& statement, std::vector<Value> rows,
                                   const std::vector<Value>& more) {
  const std::size_t columns = std::strlen(statement.row);
  std::vector<Row> result;
  try {
    for (std::size_t first = 0; first < rows.size(); first += kMaxRows * columns) {
      const std::size_t values = std::min(kMaxRows * columns, rows.size() - first);
      const std::size_t room = std::bit_ceil(values / columns);
      impl_->prepare(statement, room).run(std::span(rows).subspan(first, values), room * columns, more, result);
    }
  } catch (const soci::soci_error& error) {
    rethrow(error);
  }
  return result;
}

int Session::socket() const {
  return Libpq::get().socket(connection_of(impl_->session));
}

const std::string& Session::warning() const noexcept {
  return impl_->warning;
}

std::int64_t integer(const Value& value) noexcept {
  const auto* number = std::get_if<std::int64_t>(&value);
  return number != nullptr ? *number : 0;
}

const std::string& text(const Value& value) noexcept {
  static const std::string empty;
  const auto* string = std::get_if<std::string>(&value);
  return string != nullptr ? *string : empty;
}

}  // namespace alertspool
