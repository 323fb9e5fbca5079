// SPDX-License-Identifier: Apache-2.0
#include "config_support.hpp"

#include <cstdlib>
#include <random>

using namespace weir;
using weir::test::Files;

namespace {

/// One random damage: bytes changed, cut, doubled or moved, or a piece of JSON put where it doesn't belong.
std::string damaged(std::string text, std::mt19937_64 &random) {
    static const std::string pieces[] = {"{",           "}",
                                         "[",           "]",
                                         ",",           ":",
                                         "\"",          "null",
                                         "true",        "-1",
                                         "1e999",       "18446744073709551616",
                                         "\\u0000",     "\\ud800",
                                         "${",          "${A}",
                                         "$${",         "/*",
                                         "//",          "*/",
                                         "\n",          std::string(1, '\0'),
                                         "\xff",        "domains",
                                         "[[[[[[[[",    "\"engine\":",
                                         "embedded://", "\"\"",
                                         "0.5"};
    const auto below = [&](std::size_t limit) { return std::uniform_int_distribution<std::size_t>(0, limit - 1)(random); };
    for (std::size_t i = 0, count = 1 + below(4); i < count && !text.empty(); ++i) {
        const std::size_t at = below(text.size());
        const std::size_t length = std::min(text.size() - at, 1 + below(20));
        switch (below(5)) {
        case 0:
            text[at] = static_cast<char>(below(256));
            break;
        case 1:
            text.erase(at, length);
            break;
        case 2:
            text.insert(below(text.size()), text.substr(at, length));
            break;
        case 3:
            text.insert(at, pieces[below(std::size(pieces))]);
            break;
        default:
            text.replace(at, length, pieces[below(std::size(pieces))]);
            break;
        }
    }
    return text;
}

} // namespace

TEST_CASE("no damage to a configuration or a variable crashes, and what is accepted is complete") {
    std::mt19937_64 random(test::seed());
    const char *wanted = std::getenv("WEIR_TEST_MUTATIONS");
    const std::size_t rounds = wanted ? std::strtoul(wanted, nullptr, 10) : 3000;
    const auto configs = test::source_directory() / "configs";
    const std::string host = test::read_file(configs / "embedded.json");
    const std::string domains[] = {test::read_file(configs / "domains/linting.json"), test::read_file(configs / "domains/accounts.json")};
    Files files;
    std::size_t accepted = 0;
    for (std::size_t round = 0; round < rounds; ++round) {
        const bool host_hit = round % 3 == 0;
        files.write("weir.json", host_hit ? damaged(host, random) : host);
        files.write("domains/a.json", round % 3 == 1 ? damaged(domains[round % 2], random) : domains[round % 2]);
        std::map<std::string, std::string> variables{{"A", "x"}};
        if (round % 3 == 2) {
            variables["WEIR_DOMAINS_ACCOUNTS_BINDINGS"] =
                damaged(R"({"identity.user.v1": {"keys": ["/a"], "aliases": {"X": "x.y.v1"}}})", random);
            variables["WEIR_ENGINE_RETRY_DELAYS_MS"] = damaged("[1, 2, 3]", random);
            variables["WEIR_STORE_URL"] = damaged("sqlite:///a/b?synchronous=full", random);
        }
        const config::Loaded loaded = files.load(variables);
        for (const config::Problem &problem : loaded.problems) {
            REQUIRE(!problem.where.empty());
            REQUIRE(!problem.what.empty());
        }
        if (loaded.problems.empty()) {
            ++accepted;
            REQUIRE((loaded.config.broker_url.starts_with("embedded:///") || loaded.config.broker_url.starts_with("redis://")));
            REQUIRE(loaded.config.store_url.starts_with("sqlite:///"));
            REQUIRE(!loaded.config.engine.retry_delays_ms.empty());
            for (const config::DomainConfig &domain : loaded.config.domains) {
                REQUIRE(!domain.name.empty());
                REQUIRE(!domain.service_name.empty());
            }
        }
    }
    CHECK(accepted > 0);      // damage within comments and white space
    CHECK(accepted < rounds); // and damage that is found
}

TEST_CASE("no prefix of a configuration crashes") {
    const std::string host = test::read_file(test::source_directory() / "configs/embedded.json");
    Files files;
    for (std::size_t length = 0; length <= host.rfind('}'); length += 7) {
        files.write("weir.json", host.substr(0, length));
        REQUIRE(!files.load().problems.empty());
    }
}
