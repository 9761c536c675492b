#include "alert/digest.h"

#include "base/text.h"

#include <nettle/memops.h>
#include <nettle/sha2.h>

namespace alertspool {
namespace {

/// The digest's bytes.
std::string sha256(std::string_view bytes) {
  std::uint8_t digest[SHA256_DIGEST_SIZE];
  sha256_ctx context;
  sha256_init(&context);
  sha256_update(&context, bytes.size(), reinterpret_cast<const std::uint8_t*>(bytes.data()));
  sha256_digest(&context, sizeof digest, digest);
  return {digest, digest + sizeof digest};
}

}  // namespace

std::string sha256_hex(std::string_view bytes) {
  return to_hex(sha256(bytes));
}

bool equal_secrets(std::string_view a, std::string_view b) {
  return memeql_sec(sha256(a).data(), sha256(b).data(), SHA256_DIGEST_SIZE) != 0;
}

}  // namespace alertspool
