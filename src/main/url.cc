/// url: the callback URL to paste into the console.

#include "main/verb.h"

#include <iostream>

namespace alertspool {
namespace {

/// `token=SECRET` of the token that is named, or of the only one; empty when none is configured.
std::string parameter_of(const std::vector<Token>& tokens, const std::string& name) {
  if (name.empty() && tokens.empty()) return "";
  if (name.empty() && tokens.size() == 1) return "token=" + tokens.front().secret;
  std::string known;
  for (const Token& token : tokens) {
    if (token.name == name) return "token=" + token.secret;
    known += " " + token.name;
  }
  throw UsageError("url: name one token of token-file with --token NAME:" + (tokens.empty() ? " it has none" : known));
}

int run(const Arguments& arguments) {
  const std::string base = arguments.positional.empty() ? "" : arguments.positional.front();
  const bool encrypted = base.starts_with("https://");
  if (arguments.positional.size() != 1 || (!encrypted && !base.starts_with("http://")))
    throw UsageError("url takes one argument: https://HOST/PATH of the receiver");
  const std::string parameter = parameter_of(config_of(arguments).access.tokens, arguments.value("token"));
  if (!parameter.empty() && !encrypted) std::cerr << "alertspool: http:// shows the token on the way\n";
  std::cout << base;
  if (!parameter.empty()) std::cout << (base.find('?') == base.npos ? "?" : "&") << parameter;
  std::cout << "\n";
  return kOk;
}

}  // namespace

const Verb kUrlVerb{"url",
                    "BASE",
                    "prints the callback URL to paste into the console",
                    {{"token", "NAME", "which token of the token file; not needed when it holds one"}},
                    run};

}  // namespace alertspool
