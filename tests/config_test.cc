#include "main/config.h"

#include "main/config_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

namespace alertspool {
namespace {

using namespace std::chrono_literals;

Config parse(const std::string& text) {
  return parse_config(text, "c.conf");
}

/// The errors of a configuration; empty when it has none.
std::string errors(const std::string& text) {
  try {
    parse(text);
    return "";
  } catch (const ConfigError& error) {
    return error.what();
  }
}

/// A directory of its own for each test.
class ConfigFile : public testing::Test {
protected:
  ConfigFile() {
    char name[] = "/tmp/alertspool-config-XXXXXX";
    directory_ = mkdtemp(name);
  }
  ~ConfigFile() override { (void)!system(("rm -r " + directory_).c_str()); }

  std::string write(const std::string& name, const std::string& text, mode_t mode = 0640) const {
    const std::string path = directory_ + "/" + name;
    std::ofstream(path) << text;
    chmod(path.c_str(), mode);
    return path;
  }

  std::string directory_;
};

const std::string kSecret = "abcdefghijklmnop";

TEST(Config, EmptyFileGivesTheDocumentedDefaults) {
  const Config config = parse("");
  EXPECT_EQ(config.store.url, "sqlite:/var/lib/alertspool/spool.db");
  EXPECT_EQ(config.store.max_waiting, 1'000'000);
  EXPECT_EQ(config.max_body, 65536u);
  EXPECT_EQ(config.keep, 90 * 24h);
  EXPECT_TRUE(config.deliver);
  EXPECT_TRUE(config.access.tokens.empty());
  EXPECT_TRUE(config.access.user_ids.empty());
  EXPECT_TRUE(config.listen.empty());
  ASSERT_EQ(config.access.allow.size(), 4u);
  EXPECT_TRUE(config.access.allow[3].contains(*parse_address("47.74.206.255")));
}

TEST(Config, WithoutActionsOneSyslogActionTakesAll) {
  const Config config = parse("");
  ASSERT_EQ(config.actions.size(), 1u);
  EXPECT_EQ(config.actions[0].route.action, "log");
  EXPECT_EQ(config.actions[0].type, ActionConfig::Type::syslog);
  EXPECT_EQ(config.actions[0].facility, 3);
  EXPECT_EQ(config.actions[0].socket, "/dev/log");
}

TEST(Config, ReadsTheExampleOfTheManual) {
  const Config config = parse(
      "store        = sqlite:/var/lib/alertspool/spool.db   # or another\n"
      "allow        = 47.74.206.0/26      # repeatable\n"
      "allow        = 192.0.2.1\n"
      "user-id      = 1234567890123456\n"
      "listen       = /run/alertspool/alertspool.sock\n"
      "max-body     = 1MiB\n"
      "deliver      = no\n"
      "\n"
      "[action.log]                       # the first\n"
      "type         = syslog\n"
      "facility     = local0\n"
      "[action.page]\n"
      "type         = command\n"
      "match        = severity CRITICAL\n"
      "match        = url.team db\n"
      "follow       = no\n"
      "run          = /usr/local/lib/alertspool/page \"DB team\"\n"
      "parallel     = 8\n"
      "timeout      = 45s\n"
      "retry-min    = 20s\n"
      "retry-max    = 5m\n"
      "give-up-after = 1d\n"
      "give-up-exit = 65, 66\n"
      "give-up-exit = 77\n");
  EXPECT_EQ(config.store.url, "sqlite:/var/lib/alertspool/spool.db");
  EXPECT_EQ(config.access.allow.size(), 2u);
  EXPECT_EQ(config.access.user_ids, std::vector<std::string>{"1234567890123456"});
  EXPECT_EQ(config.listen, "/run/alertspool/alertspool.sock");
  EXPECT_EQ(config.max_body, 1u << 20);
  EXPECT_FALSE(config.deliver);
  ASSERT_EQ(config.actions.size(), 2u);
  EXPECT_EQ(config.actions[0].facility, 16);
  const ActionConfig& page = config.actions[1];
  EXPECT_EQ(page.type, ActionConfig::Type::command);
  EXPECT_EQ(page.route.matches.size(), 2u);
  EXPECT_FALSE(page.route.follow);
  EXPECT_EQ(page.run, (std::vector<std::string>{"/usr/local/lib/alertspool/page", "DB team"}));
  EXPECT_EQ(page.parallel, 8);
  EXPECT_EQ(page.timeout, 45s);
  EXPECT_EQ(page.retry.retry_min, 20s);
  EXPECT_EQ(page.retry.retry_max, 5min);
  EXPECT_EQ(page.retry.give_up_after, 24h);
  EXPECT_EQ(page.retry.give_up_exit, (std::vector<int>{65, 66, 77}));
}

TEST(Config, PresetAllowsAllItsPrefixes) {
  const Config config = parse("allow = cloudmonitor-intl\n");
  for (const char* address : {"47.74.206.1", "47.74.206.200", "8.222.159.116"}) {
    bool allowed = false;
    for (const Prefix& prefix : config.access.allow) allowed = allowed || prefix.contains(*parse_address(address));
    EXPECT_TRUE(allowed) << address;
  }
}

struct Bad {
  const char* text;
  const char* error;  ///< what its one error must contain
};

class BadConfig : public testing::TestWithParam<Bad> {};

TEST_P(BadConfig, IsRefusedNamingLineAndKey) {
  const std::string error = errors(GetParam().text);
  EXPECT_NE(error.find(GetParam().error), std::string::npos) << GetParam().text << "\n -> " << error;
  EXPECT_EQ(error.find('\n'), std::string::npos) << "one mistake, one error: " << error;
}

const std::string kLongPath = "listen = /" + std::string(107, 'x');

INSTANTIATE_TEST_SUITE_P(
    Values, BadConfig,
    testing::Values(
        Bad{"\nalow = 192.0.2.1", "c.conf:2: alow: unknown key; did you mean allow?"},
        Bad{"zzzzzzzz = 1", "c.conf:1: zzzzzzzz: unknown key"}, Bad{"allow = 47.74.206.1/26", "47.74.206.0/26"},
        Bad{"allow = 192.0.2.0/33", "c.conf:1: allow: "}, Bad{"allow = cloudmonitor-int", "c.conf:1: allow: "},
        Bad{"allow =", "c.conf:1: allow: no value"}, Bad{"keep = 90", "c.conf:1: keep: '90'"},
        Bad{"keep = 1s", "from 1d to"}, Bad{"keep = 90d\nkeep = 80d", "c.conf:2: keep: already given in line 1"},
        Bad{"max-body = 64KB", "KiB or MiB"}, Bad{"max-body = 17MiB", "1KiB to 16MiB"},
        Bad{"max-body = 0KiB", "1KiB to 16MiB"}, Bad{"max-body = 18446744073709551615MiB", "1KiB to 16MiB"},
        Bad{"max-waiting = 0", "from 1 to"}, Bad{"max-waiting = -1", "from 1 to"}, Bad{"deliver = maybe", "yes or no"},
        Bad{"user-id = 12x", "digits only"}, Bad{"listen = alertspool.sock", "absolute path"},
        Bad{"listen = \"/run/x.sock\"", "absolute path"}, Bad{kLongPath.c_str(), "107 bytes"},
        Bad{"listen-group = no-such-group-here", "no group 'no-such-group-here'"},
        Bad{"store = sqlite:spool.db", "write sqlite:/PATH"}, Bad{"store = sqlite:/a=b", "'='"},
        Bad{"store = sqlite:/a\\\"b", "'\"'"}, Bad{"store = mysql://host/db", "sqlite:/PATH"},
        Bad{"store = postgresql://u:p@ss@host/db", "%40"}, Bad{"store = postgresql://u:p/w@host/db", "%2F"},
        Bad{"store = postgresql://u@host/db?options=-c%zz", "%25"}, Bad{"store = postgresql://u@host/a b", "%20"},
        Bad{"token-file = /nonexistent/tokens", "No such file"}, Bad{"type = syslog", "c.conf:1: type: unknown key"}));

INSTANTIATE_TEST_SUITE_P(Lines, BadConfig,
                         testing::Values(Bad{"deliver yes", "c.conf:1: deliver yes: no '='"}, Bad{"= yes", "no key"},
                                         Bad{"[action.log", "no ']'"}, Bad{"keep = 9\x01", "control character"},
                                         Bad{"listen = /it's # what", "unclosed quote before a '#'"}));

INSTANTIATE_TEST_SUITE_P(
    Actions, BadConfig,
    testing::Values(
        Bad{"[log]\ntype = syslog", "c.conf:1: [log]: no such section"},
        Bad{"[action.]\ntype = syslog", "no such section"}, Bad{"[action.a b]\ntype = syslog", "no such section"},
        Bad{"[action.a]\ntype = syslog\n[action.a]\ntype = syslog", "c.conf:3: [action.a]: there already is"},
        Bad{"[action.a]\nfacility = daemon", "c.conf:1: [action.a]: no type"},
        Bad{"[action.a]\ntype = mail", "c.conf:2: type: 'mail': write syslog or command"},
        Bad{"[action.a]\ntype = command", "c.conf:1: [action.a]: no run"},
        Bad{"[action.a]\ntype = command\nrun = page", "c.conf:3: run: 'page'"},
        Bad{"[action.a]\ntype = command\nrun = /page \"x", "c.conf:3: run: "},
        Bad{"[action.a]\nrun = /page\ntype = syslog", "c.conf:2: run: does not belong to this type"},
        Bad{"[action.a]\ntype = command\nrun = /p\nfacility = daemon", "c.conf:4: facility: does not belong"},
        Bad{"[action.a]\ntype = syslog\nfacility = demon", "no syslog facility"},
        Bad{"[action.a]\ntype = syslog\nsocket = log", "absolute path"},
        Bad{"[action.a]\ntype = syslog\nmatch = severity 'x", "c.conf:3: match: "},
        Bad{"[action.a]\ntype = command\nrun = /p\nparallel = 257", "from 1 to 256"},
        Bad{"[action.a]\ntype = command\nrun = /p\nparallel = 0", "from 1 to 256"},
        Bad{"[action.a]\ntype = command\nrun = /p\ntimeout = 999ms", "from 1s"},
        Bad{"[action.a]\ntype = command\nrun = /p\ngive-up-exit = 0", "from 1 to 255"},
        Bad{"[action.a]\ntype = command\nrun = /p\ngive-up-exit = 256", "from 1 to 255"},
        Bad{"[action.a]\ntype = syslog\nretry-min = 11m", "retry-min 11m is longer than retry-max 10m"},
        Bad{"[action.a]\ntype = syslog\ngive-up-after = 1m", "retry-max 10m is longer than give-up-after 1m"},
        Bad{"[action.a]\ntype = syslog\nstore = sqlite:/x", "c.conf:3: store: unknown key"}));

TEST(Config, TellsAllErrorsAtOnceInTheOrderOfTheirLines) {
  const std::string all = errors("nonsense\nkeep = 1\n[action.a]\ntype = syslog\nfolow = yes\n");
  const auto first = all.find("c.conf:1:"), second = all.find("c.conf:2: keep"), third = all.find("c.conf:5: folow");
  EXPECT_TRUE(first < second && second < third && third != std::string::npos) << all;
  EXPECT_NE(all.find("did you mean follow?"), std::string::npos);
}

TEST(Config, KeyBelowABadSectionIsNotTakenForAnother) {
  EXPECT_EQ(errors("[acton.a]\ndeliver = no\n").find("deliver"), std::string::npos);
}

struct Comment {
  const char* line;
  const char* value;
};

TEST(Config, CutsOnlyWhatIsAComment) {
  const Comment cases[] = {
      {"k = a # b", "a"},
      {"k = a\t#b", "a"},
      {"k = a#b", "a#b"},
      {"k = \"a # b\"", "\"a # b\""},
      {"k = 'a # b'", "'a # b'"},
      {"k = a \\# b", "a \\# b"},
      {"k = \"a\\\" # b\" # c", "\"a\\\" # b\""},
      {"k = it's", "it's"},
      {"k = a\r", "a"},
      {"  k  =  a b  ", "a b"},
      {"k = a = b", "a = b"},
  };
  for (const Comment& each : cases) {
    const ConfigText text = split_config(each.line);
    ASSERT_TRUE(text.faults.empty()) << each.line;
    ASSERT_EQ(text.sections.front().lines.size(), 1u) << each.line;
    EXPECT_EQ(text.sections.front().lines.front().value, each.value);
  }
  EXPECT_TRUE(split_config("# a = b\n   # c\n\n").sections.front().lines.empty());
}

TEST_F(ConfigFile, ReadsTokens) {
  const std::string path = write("tokens", "# who may call\n\ndb  " + kSecret + "1\nops\t" + kSecret + "2 \n");
  const Config config = parse("token-file = " + path);
  ASSERT_EQ(config.access.tokens.size(), 2u);
  EXPECT_EQ(config.access.tokens[0].name, "db");
  EXPECT_EQ(config.access.tokens[0].secret, kSecret + "1");
  EXPECT_EQ(config.access.tokens[1].secret, kSecret + "2");
}

TEST_F(ConfigFile, TokenFileOpenToOthersIsRefused) {
  for (const mode_t mode : {0644u, 0602u, 0601u})
    EXPECT_NE(errors("token-file = " + write("tokens", "db " + kSecret, mode)).find("open to all users"),
              std::string::npos);
  EXPECT_EQ(errors("token-file = " + write("tokens", "db " + kSecret, 0660)), "");
}

TEST_F(ConfigFile, BadTokensAreRefusedWithoutShowingASecret) {
  const Bad cases[] = {
      {"", "holds no token"},
      {"# none\n", "holds no token"},
      {"db\n", ":1: not of the form NAME SECRET"},
      {"\ndb abcdefghijklmno\n", ":2: secret shorter than 16"},
      {"db abcdefghijklmno+p\n", "a secret consists of"},
      {"db abcdefghijklmnop abcdefghijklmnop\n", "a secret consists of"},
      {"d.b abcdefghijklmnop\n", "a name consists of"},
      {"db abcdefghijklmnop\ndb abcdefghijklmnoq\n", ":2: there already is a token db"},
      {"db abcdefghijklmnop\nops abcdefghijklmnop\n", ":2: same secret as token db"},
  };
  for (const Bad& each : cases) {
    const std::string error = errors("token-file = " + write("tokens", each.text));
    EXPECT_NE(error.find(each.error), std::string::npos) << each.text << " -> " << error;
    EXPECT_EQ(error.find("abcdef"), std::string::npos) << error;
  }
}

TEST_F(ConfigFile, WhoNeedsNoSecretDoesNotReadThem) {
  const Config config = parse_config("token-file = /nonexistent/tokens", "c.conf", Secrets::leave);
  EXPECT_EQ(config.token_file, "/nonexistent/tokens");
  EXPECT_TRUE(config.access.tokens.empty());
}

TEST_F(ConfigFile, MissingFileIsAnErrorOnlyWhenItWasAskedFor) {
  const std::string path = directory_ + "/none.conf";
  EXPECT_EQ(read_config(path, false).actions.size(), 1u);
  EXPECT_THROW(read_config(path, true), ConfigError);
  EXPECT_THROW(read_config(directory_, false), ConfigError);
}

TEST(Config, ReceiverGetsTheRoutesOfAllActions) {
  const ReceiverSettings settings =
      parse("max-body = 2KiB\n[action.a]\ntype = syslog\n[action.b]\ntype = syslog\n").receiver();
  EXPECT_EQ(settings.max_body, 2048u);
  ASSERT_EQ(settings.routes.size(), 2u);
  EXPECT_EQ(settings.routes[1].action, "b");
}

TEST(Config, DigestOfAnActionIsOfWhatItsLinesSay) {
  const auto digest = [](const std::string& lines) { return parse("[action.a]\n" + lines).actions[0].digest; };
  const std::string one = digest("type = syslog\nfacility = user\n");
  EXPECT_EQ(one.size(), 8u);
  EXPECT_EQ(digest("# said otherwise\nfacility=user # of them\n\ntype = syslog\n"), one);
  EXPECT_NE(digest("type = syslog\nfacility = mail\n"), one);
  EXPECT_NE(digest("type = syslog\n"), one);
}

TEST(Config, ErrorShowsNoPassword) {
  for (const char* line : {"store = postgresql://u:pa@ss@host/db", "store = postgre://u:pass@host/db"}) {
    try {
      parse(line);
      FAIL() << line;
    } catch (const ConfigError& error) {
      EXPECT_EQ(std::string(error.what()).find("ss@"), std::string::npos) << error.what();
    }
  }
}

TEST(Config, WakesBesideTheSpool) {
  const Config config = parse("store = sqlite:/a/b.db");
  EXPECT_EQ(wake_path(config), "/a/b.db-wake");
  EXPECT_EQ(spool_name(config), "/a/b.db");
}

TEST(Config, SpoolOnAServerHasNoFileAndNoPassword) {
  const Config config = parse("store = postgresql://u:secret@host/db");
  EXPECT_EQ(wake_path(config), "/var/lib/alertspool/postgresql-wake");
  EXPECT_EQ(spool_name(config), "postgresql://u:***@host/db");
}

}  // namespace
}  // namespace alertspool
