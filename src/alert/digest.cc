#include "alert/digest.h"

#include "base/text.h"

#include <nettle/memops.h>
#include <nettle/sha2.h>

#include <array>

namespace alertspool {
namespace {

std::array<std::uint8_t, SHA256_DIGEST_SIZE> sha256(std::string_view bytes) noexcept {
  std::array<std::uint8_t, SHA256_DIGEST_SIZE> digest;
  sha256_ctx context;
  sha256_init(&context);
  sha256_update(&context, bytes.size(), reinterpret_cast<const std::uint8_t*>(bytes.data()));
  sha256_digest(&context, digest.size(), digest.data());
  return digest;
}

}  // namespace

std::string sha256_hex(std::string_view bytes) {
  const auto digest = sha256(bytes);
  return to_hex({reinterpret_cast<const char*>(digest.data()), digest.size()});
}

bool equal_secrets(std::string_view a, std::string_view b) {
  return memeql_sec(sha256(a).data(), sha256(b).data(), SHA256_DIGEST_SIZE) != 0;
}

}  // namespace alertspool
