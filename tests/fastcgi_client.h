/// A web server's side of FastCGI, record by record, so that a test can send what no web server would.

#pragma once

#include "base/fd.h"

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace alertspool {

namespace record {

enum Type : unsigned char { begin = 1, abort = 2, end = 3, params = 4, input = 5, output = 6 };

inline std::string make(Type type, std::string_view content, int id = 1) {
  const auto byte = [](std::size_t value) { return static_cast<char>(value & 255U); };
  const auto size = content.size();
  const auto number = static_cast<std::size_t>(id);
  return std::string{1, static_cast<char>(type), byte(number >> 8U), byte(number), byte(size >> 8U), byte(size), 0, 0} +
         std::string(content);
}

inline std::string begin_request(bool keep) {
  return make(begin, std::string{0, 1, keep ? '\1' : '\0', 0, 0, 0, 0, 0});
}

inline std::string parameter(std::string_view name, std::string_view value) {
  const auto length = [](std::size_t size) {
    if (size < 128) return std::string(1, static_cast<char>(size));
    return std::string{static_cast<char>(0x80), static_cast<char>(size >> 16U), static_cast<char>(size >> 8U),
                       static_cast<char>(size)};
  };
  return length(name.size()) + length(value.size()) + std::string(name) + std::string(value);
}

}  // namespace record

using Parameters = std::vector<std::pair<std::string, std::string>>;

inline Parameters post_parameters(const std::string& body, const std::string& query = "") {
  return {{"REQUEST_METHOD", "POST"},
          {"REMOTE_ADDR", "47.74.206.1"},
          {"QUERY_STRING", query},
          {"CONTENT_TYPE", "application/x-www-form-urlencoded"},
          {"CONTENT_LENGTH", std::to_string(body.size())}};
}

inline Parameters get_parameters(const std::string& method = "GET") {
  return {{"REQUEST_METHOD", method}, {"REMOTE_ADDR", "192.0.2.9"}, {"QUERY_STRING", ""}, {"CONTENT_LENGTH", ""}};
}

inline std::string head(const Parameters& parameters, bool keep = true) {
  std::string pairs;
  for (const auto& [name, value] : parameters) pairs += record::parameter(name, value);
  return record::begin_request(keep) + record::make(record::params, pairs) + record::make(record::params, "");
}

inline std::string request(const Parameters& parameters, const std::string& body, bool keep = true) {
  std::string bytes = head(parameters, keep);
  if (!body.empty()) bytes += record::make(record::input, body);
  return bytes + record::make(record::input, "");
}

inline std::string post(const std::string& body, const std::string& query = "", bool keep = true) {
  return request(post_parameters(body, query), body, keep);
}

/// One connection. Every wait ends after 10 s at the latest, so that a broken loop fails a test instead of hanging it.
class FastCgiClient {
public:
  explicit FastCgiClient(Fd fd) : fd_(std::move(fd)) {
    const timeval patience{10, 0};
    setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  }
  explicit FastCgiClient(const std::string& path) : FastCgiClient(unconnected()) { connect_to(path); }

  static Fd unconnected() { return Fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)); }
  void connect_to(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.data(), path.size());
    if (connect(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
      throw std::runtime_error("cannot connect to " + path);
  }

  /// False when the other side is gone.
  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }

  /// What the program printed, up to END_REQUEST. Empty when the connection ended before that.
  std::string answer() {
    std::string printed;
    for (;;) {
      const std::string header = receive(8);
      if (header.size() < 8) return "";
      const auto at = [&](std::size_t i) { return static_cast<unsigned char>(header[i]); };
      const std::string content = receive(static_cast<std::size_t>(at(4) << 8 | at(5)));
      receive(at(6));
      if (at(1) == record::output) printed += content;
      if (at(1) == record::end) return printed;
    }
  }

  std::string ask(std::string_view bytes) { return send(bytes) ? answer() : ""; }

  /// Whether the other side ends the connection, and sends nothing before.
  bool ended() {
    char byte = 0;
    const ssize_t got = recv(fd_.get(), &byte, 1, 0);
    return got == 0 || (got < 0 && errno != EAGAIN);
  }

  /// Whether the other side has neither answered nor ended the connection so far.
  bool silent() {
    char byte = 0;
    return recv(fd_.get(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
  }

  void half_close() { shutdown(fd_.get(), SHUT_WR); }
  int fd() const { return fd_.get(); }

private:
  std::string receive(std::size_t size) {
    std::string bytes(size, '\0');
    std::size_t have = 0;
    while (have < size) {
      const ssize_t got = recv(fd_.get(), &bytes[have], size - have, 0);
      if (got <= 0) return "";
      have += static_cast<std::size_t>(got);
    }
    return bytes;
  }

  Fd fd_;
};

/// `200 accepted 42`.
inline std::string brief(const std::string& answer) {
  if (!answer.starts_with("Status: ")) return answer.empty() ? "none" : "garbage: " + answer;
  const auto body = answer.find("\r\n\r\n");
  return answer.substr(8, 3) + ' ' + answer.substr(body + 4, answer.size() - body - 5);
}

}  // namespace alertspool
