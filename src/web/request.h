/// Request and Response: one HTTP exchange as FastCGI and CGI tell it. Values only.

#pragma once

#include <string>
#include <string_view>

namespace alertspool {

struct Request {
  std::string method;
  std::string remote_addr;
  int remote_addr_count = 0;  ///< how often the web server said REMOTE_ADDR: anything but 1 is refused
  std::string query_string;
  std::string content_type;
  std::string content_length;  ///< as it came
  std::string body;
  bool whole = true;  ///< false: cut short, aborted, or longer than announced
};

struct Response {
  int status = 200;
  std::string body;     ///< one line, without its end
  std::string headers;  ///< more of them, each ended by CRLF: `Allow: ...`

  /// As CGI writes it (RFC 3875 section 6): Status, Content-Type, Content-Length, headers, body and a newline.
  std::string text() const;
};

/// `NAME=value` of FastCGI parameters or environ into a request: the first of a name counts, names that do not matter
/// are ignored.
void set_parameter(Request& request, std::string_view entry);

}  // namespace alertspool
