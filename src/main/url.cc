// `alertspool url`: the callback URL to paste into the console.

#include "main/verb.h"

#include <iostream>

namespace alertspool {

namespace {

/// The one that is named, or the only one; nullptr when none is configured.
const Token* choose(const Config& config, const std::string& name) {
  const auto& tokens = config.access.tokens;
  if (name.empty() && tokens.empty()) return nullptr;
  if (name.empty() && tokens.size() == 1) return &tokens.front();
  std::string known;
  for (const Token& token : tokens) {
    if (token.name == name) return &token;
    known += " " + token.name;
  }
  if (tokens.empty()) throw UsageError("url: no token-file is configured in " + config.path);
  throw UsageError("url: say which token with --token NAME:" + known);
}

int url(const Arguments& arguments) {
  if (arguments.positional.size() != 1) throw UsageError("url takes one argument: https://HOST/PATH of the receiver");
  const std::string base = arguments.positional.front();
  if (!base.starts_with("https://") && !base.starts_with("http://"))
    throw UsageError("url: " + base + " does not begin with https:// or http://");
  if (base.find_first_of("# ") != base.npos) throw UsageError("url: " + base + " must not contain '#' or blanks");
  const Config config = config_of(arguments);
  const Token* token = choose(config, arguments.value("token"));
  if (token == nullptr) std::cerr << "alertspool: no token-file is configured: any CloudMonitor user may call this\n";
  if (token != nullptr && base.starts_with("http://")) std::cerr << "alertspool: http:// shows the token on the way\n";
  std::cout << base;
  if (token != nullptr) std::cout << (base.find('?') == base.npos ? "?" : "&") << "token=" << token->secret;
  std::cout << "\n";
  return kOk;
}

}  // namespace

const Verb kUrlVerb{"url",
                    "BASE",
                    "prints the callback URL to paste into the console",
                    {{"token", "NAME", "which token of the token file; not needed when it holds one"}},
                    url};

}  // namespace alertspool
