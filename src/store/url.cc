#include "store/url.h"

namespace alertspool {

namespace {

constexpr std::string_view kSqlite = "sqlite:";

}  // namespace

std::string fault_of_url(const std::string& url) {
  const std::string path = file_of_url(url);
  if (!url.starts_with(kSqlite)) return "this version keeps alerts in SQLite only: write sqlite:/PATH";
  // SOCI takes everything with a `=` in it for a list of options.
  const bool good = path.starts_with('/') && !path.ends_with('/') && path.find_first_of("=\"") == path.npos;
  return good ? "" : "write sqlite:/PATH, without '=' and '\"'";
}

std::string file_of_url(const std::string& url) {
  return url.starts_with(kSqlite) ? url.substr(kSqlite.size()) : "";
}

}  // namespace alertspool
