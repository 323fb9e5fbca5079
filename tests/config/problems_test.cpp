// SPDX-License-Identifier: Apache-2.0
#include "config_support.hpp"

#include "config/keys.hpp"

#include <sys/stat.h>

using namespace weir;
using Catch::Contains;
using weir::test::Files;

namespace {

/// The one problem of a host file, as "line pointer: what".
std::string only_problem(const std::string &content) {
    Files files;
    const config::Loaded loaded = files.load_host(content);
    INFO(test::text(loaded.problems));
    REQUIRE(loaded.problems.size() == 1);
    const std::string file = files.path("weir.json").string();
    REQUIRE(loaded.problems[0].where.starts_with(file));
    return loaded.problems[0].where.substr(file.size()) + ": " + loaded.problems[0].what;
}

} // namespace

TEST_CASE("a mistyped key is refused with its line, its pointer and the key that was meant") {
    CHECK_THAT(only_problem("{\n\"stroe\": {\"url\": \"sqlite://\"}}"),
               Contains(":2 /stroe: \"stroe\" is no key here (did you mean \"store\"?)"));
    CHECK_THAT(only_problem("{\"engine\": {\n\n\"batch_max_event\": 5}}"),
               Contains(":3 /engine/batch_max_event: ") && Contains("(did you mean \"batch_max_events\"?)"));
    CHECK_THAT(only_problem(R"({"plugins": {"dierctory": "x"}})"), Contains("(did you mean \"directory\"?)"));
    CHECK_THAT(only_problem(R"({"Engine": {}})"), Contains("(did you mean \"engine\"?)"));
    CHECK_THAT(only_problem(R"({"xyzzy": 1})"),
               Contains("\"xyzzy\" is no key here; known are data_directory, broker, store") && !Contains("did you mean"));
}

TEST_CASE("a key on the wrong level is refused with the place where it belongs") {
    CHECK_THAT(only_problem(R"({"batch_max_events": 5})"), Contains("it stands at the top as \"engine\": {\"batch_max_events\": ...}"));
    CHECK_THAT(only_problem(R"({"engine.batch_max_events": 5})"), Contains("write \"engine\": {\"batch_max_events\": ...}"));
    CHECK_THAT(only_problem(R"({"broker": "embedded://x"})"), Contains("/broker: must be an object: write {\"url\": ...}"));
    CHECK_THAT(only_problem(R"({"broker_url": "embedded://x"})"), Contains("did you mean \"broker\": {\"url\": ...}?"));
}

TEST_CASE("values of the wrong type or range are refused, saying what to write") {
    CHECK_THAT(only_problem(R"({"engine": {"batch_max_events": "5"}})"),
               Contains("engine.batch_max_events is \"5\": write a whole number from 1 to 100000, without quotes"));
    CHECK_THAT(only_problem(R"({"engine": {"batch_max_events": 0}})"), Contains("is 0: write a whole number from 1 to 100000"));
    CHECK_THAT(only_problem(R"({"engine": {"batch_max_events": 1.5}})"), Contains("is 1.5: write a whole number"));
    CHECK_THAT(only_problem(R"({"engine": {"batch_max_events": -1}})"), Contains("is -1: write a whole number"));
    CHECK_THAT(only_problem(R"({"engine": {"batch_max_bytes": 18446744073709551615}})"),
               Contains("is 18446744073709551615: write a whole number"));
    CHECK_THAT(only_problem(R"({"engine": {"batch_max_events": null}})"), Contains("is null: write a whole number"));
    CHECK_THAT(only_problem(R"({"engine": {"retry_delays_ms": [1, "x", 3]}})"),
               Contains("/engine/retry_delays_ms/1: engine.retry_delays_ms is \"x\": write a whole number"));
    CHECK_THAT(only_problem(R"({"engine": {"retry_delays_ms": []}})"), Contains("write an array of whole numbers"));
    CHECK_THAT(only_problem(R"({"engine": {"retry_delays_ms": 5}})"), Contains("write an array of whole numbers"));
    CHECK_THAT(only_problem(R"({"plugins": {"inotify": "true"}})"), Contains("plugins.inotify is \"true\": write true or false"));
    CHECK_THAT(only_problem(R"({"plugins": {"inotify": 1}})"), Contains("write true or false"));
    CHECK_THAT(only_problem(R"({"plugins": {"directory": 7}})"), Contains("plugins.directory is 7: write a text in quotes"));
    CHECK_THAT(only_problem(R"({"plugins": {"directory": ""}})"), Contains("plugins.directory is empty: write a directory's path"));
    CHECK_THAT(only_problem(R"({"plugins": {"default": "Projection"}})"),
               Contains("plugins.default is \"Projection\": write a letter, then letters, digits or -, all lower case"));
    CHECK_THAT(only_problem(R"({"log": {"level": "wran"}})"),
               Contains("log.level is \"wran\": write debug, info, warn or error (did you mean \"warn\"?)"));
    CHECK_THAT(only_problem(R"({"state_directory": "a\u0000b"})"), Contains("control characters have no place here"));
    CHECK_THAT(only_problem(R"({"domains": 3})"), Contains("/domains: domains must be an object by domain name, or an array of domains"));
    CHECK_THAT(only_problem(R"({"domains": null})"), Contains("/domains: domains must be an object"));
}

TEST_CASE("urls that no broker or store here can be are refused, saying which can") {
    CHECK_THAT(only_problem(R"({"store": {"url": "sqlite:/x"}})"), Contains("store.url is \"sqlite:/x\": write sqlite://DIRECTORY"));
    CHECK_THAT(only_problem(R"({"store": {"url": "embedded://x"}})"), Contains("write sqlite://DIRECTORY"));
    CHECK_THAT(only_problem(R"({"store": {"url": "mysql://u:geheim@h/d"}})"),
               Contains("\"mysql://u:***@h/d\": write sqlite://DIRECTORY or postgresql://") && !Contains("geheim"));
    CHECK_THAT(only_problem(R"({"broker": {"url": "kafka://h"}})"), Contains("this version has no such broker; write embedded://FILE"));
    CHECK_THAT(only_problem(R"({"broker": {"url": "embedded:///x/"}})"), Contains("it names a directory; write embedded://FILE"));
    CHECK_THAT(only_problem(R"({"broker": {"url": "embedded:///x?synchronus=full"}})"),
               Contains("no parameter \"synchronus\" (did you mean \"synchronous\"?)"));
    CHECK_THAT(only_problem(R"({"broker": {"url": "embedded:///x?synchronous=off"}})"),
               Contains("write synchronous=full or synchronous=normal"));
    CHECK_THAT(only_problem(R"({"store": {"url": "sqlite:///x?busy_timeout_ms=soon"}})"),
               Contains("write a whole number behind busy_timeout_ms="));
}

TEST_CASE("a file that is no JSON object is refused with line and column") {
    CHECK_THAT(only_problem("{\n  \"log\": {\"level\": info}\n}"), Contains(":2:20: not JSON: "));
    CHECK_THAT(only_problem("{\n  \"log\": {},\n}"), Contains(":3:1: not JSON: "));
    CHECK_THAT(only_problem(""), Contains("not JSON"));
    CHECK_THAT(only_problem("{\"log\": {} "), Contains("not JSON"));
    CHECK_THAT(only_problem("[]"), Contains(":1:1: must hold a JSON object"));
    CHECK_THAT(only_problem("{\"log\": \xff}"), Contains("not JSON"));
    CHECK_THAT(only_problem("{} /* not closed"), Contains("not JSON"));
    CHECK_THAT(only_problem("{\"engine\": {\"batch_max_events\": 1e999}}"), Contains("holds a value that can't be kept"));
    CHECK_THAT(only_problem(std::string(100000, '[')), Contains(":1:65: nested more than 64 levels deep"));
    CHECK_THAT(only_problem("{\"a\":" + std::string(5u << 20, ' ') + "1}"), Contains("is longer than 4 MiB"));
}

TEST_CASE("a key that stands twice is refused, because only one of the two would count") {
    CHECK_THAT(only_problem("{\"log\": {\"level\": \"info\",\n\"level\": \"debug\"}}"),
               Contains(":2 /log/level: the key \"level\" stands here a second time (first in line 1)"));
    CHECK_THAT(only_problem("{\"log\": {}, \"l\\u006fg\": {}}"), Contains("the key \"log\" stands here a second time"));
}

TEST_CASE("comments are allowed everywhere and do not shift lines") {
    const std::string text = "// \"a\": {\n{ /* \"engine\": [[[ \n */ \"engine\": { // }\n /**/ \"crash_limit\" /* : 5 */ : 0 } }";
    CHECK_THAT(only_problem(text), Contains(":4 /engine/crash_limit: engine.crash_limit is 0"));
    Files files;
    CHECK(test::text(files.load_host("/* a */ { // b\n \"log\": {\"level\": \"warn\" /* c */} }\n// d").problems) == "");
}

TEST_CASE("all problems of all files are told at once") {
    Files files;
    files.write("domains/a.json", R"({"service":{"domain":"a"},"topcis":["x"],"consumer_group":"a b"})");
    files.write("domains/b.json", "{");
    files.write("domains/c.json", R"({"service":{"domain":"A"},"order":"random"})");
    const config::Loaded loaded = files.load_host(
        R"({"domains_directory":"domains","log":{"level":"x","form":"json"},"store":{"url":"${NOWHERE}"}})", {{"WEIR_STORE_ULR", "x"}});
    const std::string problems = test::text(loaded.problems);
    for (const char *part :
         {"weir.json:1 /log/level: ", "weir.json:1 /log/form: ", "weir.json:1 /store/url: the environment variable NOWHERE is not set",
          "a.json:1 /topcis: \"topcis\" is no key here (did you mean \"topics\"?)", "a.json:1 /consumer_group: ", "b.json:1:2: not JSON",
          "c.json:1 /service/domain: ",
          "environment WEIR_STORE_ULR: overrides no key of this configuration (did you mean \"WEIR_STORE_URL\"?)"}) {
        CHECK_THAT(problems, Contains(part));
    }
}

TEST_CASE("files and directories that cannot be read are named") {
    Files files;
    CHECK_THAT(test::text(config::load(files.path("none.json"), {}).problems),
               Contains("none.json: there is no such file: check the path"));
    CHECK_THAT(test::text(config::load(files.path("domains"), {}).problems), Contains("domains: is no regular file"));
    REQUIRE(mkfifo(files.path("fifo").c_str(), 0600) == 0);
    CHECK_THAT(test::text(config::load(files.path("fifo"), {}).problems), Contains("fifo: is no regular file"));
    CHECK_THAT(test::text(files.load_host(R"({"domains_directory":"nowhere"})").problems),
               Contains(files.path("nowhere").string() +
                        ": cannot be read (No such file or directory): make it, or correct domains_directory (WEIR_DOMAINS_DIRECTORY)"));
    std::filesystem::create_symlink("gone.json", files.path("domains/dangling.json"));
    CHECK_THAT(test::text(files.load_host(R"({"domains_directory":"domains"})").problems),
               Contains("dangling.json: there is no such file"));
}

TEST_CASE("files and the domain directory that everybody may write to are refused; a group may") {
    Files files;
    files.write("domains/a.json", R"({"service":{"domain":"a"}})");
    files.write("weir.json", R"({"domains_directory":"domains"})");
    const auto problems_with = [&](const std::string &name, unsigned mode) {
        const auto before = std::filesystem::status(files.path(name)).permissions();
        std::filesystem::permissions(files.path(name), std::filesystem::perms(mode));
        const std::string problems = test::text(files.load().problems);
        std::filesystem::permissions(files.path(name), before);
        return problems;
    };
    for (const char *name : {"weir.json", "domains/a.json"}) {
        CHECK_THAT(problems_with(name, 0666),
                   Contains("everybody on this machine may write to it") && Contains("chmod o-w " + files.path(name).string()));
        CHECK(problems_with(name, 0664).empty());
    }
    CHECK_THAT(problems_with("domains", 0777), Contains("chmod o-w " + files.path("domains").string()));
    CHECK(problems_with("domains", 0775).empty());
}
