#include "web/request.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace alertspool {

namespace {

/// RFC 9110, section 15. The last stands for all others.
constexpr std::pair<int, const char*> kPhrases[] = {
    {200, "OK"},
    {400, "Bad Request"},
    {403, "Forbidden"},
    {405, "Method Not Allowed"},
    {411, "Length Required"},
    {413, "Content Too Large"},
    {415, "Unsupported Media Type"},
    {503, "Service Unavailable"},
    {500, "Internal Server Error"},
};

constexpr std::pair<std::string_view, std::string Request::*> kParameters[] = {
    {"REMOTE_ADDR", &Request::remote_addr},       {"REQUEST_METHOD", &Request::method},
    {"QUERY_STRING", &Request::query_string},     {"CONTENT_TYPE", &Request::content_type},
    {"CONTENT_LENGTH", &Request::content_length},
};

/// Of what may go into the log or be remembered: none that is meant is as long.
constexpr std::size_t kLongestValue = 4096;

}  // namespace

std::string Response::text() const {
  const auto* const phrase = std::find_if(std::begin(kPhrases), std::end(kPhrases) - 1,
                                          [this](const auto& known) { return known.first == status; });
  std::string text =
      "Status: " + std::to_string(status) + ' ' + phrase->second +
      "\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: " + std::to_string(body.size() + 1) + "\r\n" +
      headers + "\r\n";
  return text += body + '\n';
}

void set_parameter(Request& request, std::string_view entry) {
  const auto equals = entry.find('=');
  if (equals == entry.npos) return;
  const auto name = entry.substr(0, equals);
  if (name == "REMOTE_ADDR") ++request.remote_addr_count;
  for (const auto& [known, member] : kParameters)
    if (name == known && (request.*member).empty())
      request.*member = entry.substr(equals + 1, name == "QUERY_STRING" ? entry.npos : kLongestValue);
}

}  // namespace alertspool
