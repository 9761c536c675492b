#include "web/request.h"

#include "base/text.h"

namespace alertspool {

namespace {

const char* phrase(int status) noexcept {
  switch (status) {
    case 200:
      return "OK";
    case 400:
      return "Bad Request";
    case 403:
      return "Forbidden";
    case 405:
      return "Method Not Allowed";
    case 411:
      return "Length Required";
    case 413:
      return "Content Too Large";
    case 415:
      return "Unsupported Media Type";
    case 503:
      return "Service Unavailable";
    default:
      return "Internal Server Error";
  }
}

}  // namespace

ContentLength content_length(const Request& request, std::size_t max_body) noexcept {
  if (!request.content_length || request.content_length->empty()) return {ContentLength::Kind::missing, 0};
  const auto number = parse_number(*request.content_length);
  if (!number) return {ContentLength::Kind::bad, 0};
  if (*number > max_body) return {ContentLength::Kind::too_large, 0};
  return {ContentLength::Kind::ok, static_cast<std::size_t>(*number)};
}

std::string Response::text() const {
  std::string text =
      "Status: " + std::to_string(status) + ' ' + phrase(status) +
      "\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: " + std::to_string(body.size() + 1) + "\r\n" +
      headers + "\r\n";
  return text += body + '\n';
}

void set_parameter(Request& request, std::string_view name, std::string_view value) {
  if (name == "REMOTE_ADDR") {
    if (request.remote_addr_count++ == 0) request.remote_addr = value;
  } else if (name == "REQUEST_METHOD") {
    if (request.method.empty()) request.method = value;
  } else if (name == "QUERY_STRING") {
    if (request.query_string.empty()) request.query_string = value;
  } else if (name == "CONTENT_TYPE") {
    if (request.content_type.empty()) request.content_type = value;
  } else if (name == "CONTENT_LENGTH") {
    if (!request.content_length) request.content_length = value;
  }
}

}  // namespace alertspool
