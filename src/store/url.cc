#include "store/url.h"

#include "base/text.h"

#include <algorithm>

namespace alertspool {

namespace {

using std::string;
using std::string_view;

constexpr string_view kSqlite = "sqlite:";

/// Whoever goes away without a word is noticed within 3 s. Another host is tried when this one does not answer, or is a
/// standby.
constexpr const char* kParameters =
    "application_name=alertspool&client_encoding=UTF8&target_session_attrs=read-write&connect_timeout=2"
    "&tcp_user_timeout=3000&keepalives_idle=1&keepalives_interval=1&keepalives_count=3";

string fault_of_server_url(const string& url) {
  // What libpq took for a part of something else it would repeat in its messages, be it a part of the password.
  const std::size_t begin = url.find("://") + 3, end = std::min(url.size(), url.find_first_of("/?", begin));
  const std::size_t at = url.find('@');
  if (at != url.npos && (at > end || url.find('@', at + 1) != url.npos))
    return "write %40, %2F and %3F for '@', '/' and '?' in names, passwords and parameters";
  if (std::ranges::any_of(url, [](unsigned char c) { return c <= ' ' || c == '"' || c == '\'' || c == 0x7f; }))
    return "write blanks and quotes as %20, %22 and %27";
  for (std::size_t i = url.find('%'); i != url.npos; i = url.find('%', i + 1))
    if (hex_byte(string_view(url).substr(i + 1, 2)).value_or('\0') == '\0') return "write %25 for '%', and no %00";
  return "";
}

}  // namespace

string fault_of_url(const string& url) {
  if (url.starts_with("postgresql://") || url.starts_with("postgres://")) return fault_of_server_url(url);
  const string path = file_of_url(url);
  // SOCI takes everything with a `=` in it for a list of options.
  const bool good = path.starts_with('/') && !path.ends_with('/') && path.find_first_of("=\"") == path.npos;
  return good ? "" : "write sqlite:/PATH, without '=' and '\"', or postgresql://USER@HOST/DATABASE";
}

string file_of_url(const string& url) {
  return url.starts_with(kSqlite) ? url.substr(kSqlite.size()) : "";
}

string server_url(const string& url) {
  const std::size_t query = std::min(url.size(), url.find('?'));
  const string theirs = query < url.size() ? '&' + url.substr(query + 1) : "";
  return url.substr(0, query) + '?' + kParameters + theirs;
}

string public_url(const string& url) {
  string shown = url;
  const auto hide = [&](std::size_t from, const char* ends) {
    shown.replace(from, std::min(shown.size(), shown.find_first_of(ends, from)) - from, "***");
  };
  const std::size_t begin = shown.find("://") + 3, at = shown.find('@');
  if (const std::size_t colon = shown.find(':', begin); at != shown.npos && colon < at) hide(colon + 1, "@");
  for (std::size_t i = shown.find("password="); i != shown.npos; i = shown.find("password=", i + 9)) hide(i + 9, "&");
  return shown;
}

}  // namespace alertspool
