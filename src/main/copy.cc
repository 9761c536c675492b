/// copy: the spool moves to another store.

#include "store/copy.h"

#include "base/log.h"
#include "main/operator.h"
#include "store/url.h"

#include <sys/stat.h>
#include <unistd.h>

#include <iomanip>
#include <iostream>

namespace alertspool {
namespace {

std::ostream& print_rows(std::ostream& out, const std::string& table, std::int64_t rows) {
  return out << std::left << std::setw(8) << table << std::right << std::setw(12) << rows;
}

int run(const Arguments& arguments) {
  const Config config = config_of(arguments, Secrets::leave);
  StoreSettings to = config.store;
  to.url = arguments.value("to");
  if (to.url.empty()) throw UsageError("copy needs --to sqlite:/PATH or --to postgresql://USER@HOST/DATABASE");
  if (const std::string fault = fault_of_url(to.url); !fault.empty()) throw UsageError("--to: " + fault);
  umask(007);
  const SystemClock clock;
  const std::string here = host_name(), from_name = copy_name(config.store.url, here),
                    to_name = copy_name(to.url, here);
  const bool terminal = isatty(STDERR_FILENO) != 0;
  const Copied copied = copy_spool(config.store, to, here, clock, [&](const std::string& table, std::int64_t rows) {
    if (terminal) print_rows(std::cerr << '\r', table, rows);
  });
  if (terminal) std::cerr << '\n';
  if (copied.end == Copied::End::served) {
    std::cerr << "alertspool: a deliverer of spool " << from_name << " is alive: stop it, then copy\n";
    return kTryLater;
  }
  if (copied.end == Copied::End::refused) {
    std::cerr << "alertspool: " << copied.why << "; the spool stays where it is\n";
    return kDataError;
  }
  if (copied.tables.empty()) {
    std::cout << "was moved to " << to_name << " before\n";
    return kOk;
  }
  for (const Copied::Table& table : copied.tables) print_rows(std::cout, table.name, table.rows) << '\n';
  std::cout << "sha256   " << copied.digest << "\nmoved to " << to_name << '\n';
  log::notice("copy", {{"by", operator_name()},
                       {"from", from_name},
                       {"to", to_name},
                       {"alerts", std::to_string(copied.tables[0].rows)},
                       {"sha256", copied.digest}});
  return kOk;
}

}  // namespace

const Verb kCopyVerb{"copy",
                     "",
                     "moves the spool to another store",
                     {{"to", "STORE", "its URL, as for store in the configuration"}},
                     run};

}  // namespace alertspool
