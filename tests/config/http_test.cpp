// SPDX-License-Identifier: Apache-2.0
#include "config_support.hpp"

using namespace weir;
using weir::test::Files;

TEST_CASE("without a word on it, nothing is listened on") {
    const Files files;
    const config::Loaded loaded = files.load_host("{}");
    CHECK(test::text(loaded.problems).empty());
    CHECK(loaded.config.http.listen.empty());
    CHECK(test::setting(loaded, "http.listen").value == "off");
    CHECK(files.load_host(R"({"http": {"listen": "off"}})").config.http == loaded.config.http);
}

TEST_CASE("a wildcard origin is refused, and why is said") {
    const Files files;
    for (const char *origin : {"*", "https://*.example", "*://a.example"}) {
        const config::Loaded loaded = files.load_host(R"({"http": {"cors": {"origins": [")" + std::string(origin) + R"("]}}})");
        INFO(origin);
        CHECK(test::text(loaded.problems).find("wildcards are not taken, as each page that they fit could read answers") !=
              std::string::npos);
    }
    const config::Loaded loaded = files.load_host("{}", {{"WEIR_HTTP_CORS_ORIGINS", "https://a.example, https://b.example:8443"}});
    CHECK(test::text(loaded.problems).empty());
    CHECK(loaded.config.http.cors_origins == std::vector<std::string>{"https://a.example", "https://b.example:8443"});
}

TEST_CASE("the operations token is never shown, and may stand in a file") {
    const Files files;
    const std::string token = "0123456789abcdef0123456789abcdef";
    const config::Loaded direct = files.load_host("{}", {{"WEIR_HTTP_OPERATIONS_TOKEN", token}});
    CHECK(test::text(direct.problems).empty());
    CHECK(direct.config.http.operations_token == token);
    CHECK(test::setting(direct, "http.operations.token").value.find("0123") == std::string::npos);

    files.write("token", token + "\n");
    const config::Loaded from_file = files.load_host(R"({"http": {"operations": {"token_file": "token"}}})");
    CHECK(test::text(from_file.problems).empty());
    CHECK(from_file.config.http.operations_token == token);

    files.write("token", "short\n");
    const std::string problem = test::text(files.load().problems);
    CHECK(problem.find("http.operations.token_file") != std::string::npos);
    CHECK(problem.find("short") == std::string::npos);
    CHECK(test::text(files.load({{"WEIR_HTTP_OPERATIONS_TOKEN", token}}).problems).find("keep one of the two") != std::string::npos);
    const std::string bad = test::text(files.load_host(R"({"http": {"operations": {"token": "secret word"}}})").problems);
    CHECK(bad.find("16 to 1000 characters") != std::string::npos);
    CHECK(bad.find("secret word") == std::string::npos);
}

TEST_CASE("operations can't listen where the rest does") {
    const Files files;
    const char *const same = R"({"http": {"listen": "127.0.0.1:8080", "operations": {"listen": "127.0.0.1:8080"}}})";
    CHECK(test::text(files.load_host(same).problems).find("http.operations.listen is the address of http.listen") != std::string::npos);
    const char *const free = R"({"http": {"listen": "127.0.0.1:0", "operations": {"listen": "127.0.0.1:0"}}})";
    CHECK(test::text(files.load_host(free).problems).empty());
}

TEST_CASE("a client's share of event streams is half of them where nothing is said") {
    const Files files;
    CHECK(files.load_host("{}").config.http.max_event_streams == 2000);
    CHECK(files.load_host("{}").config.http.max_event_streams_per_address == 1000);
    CHECK(files.load_host(R"({"http": {"max_event_streams": 101}})").config.http.max_event_streams_per_address == 50);
    CHECK(files.load_host(R"({"http": {"max_event_streams": 1}})").config.http.max_event_streams_per_address == 1);
    CHECK(files.load_host(R"({"http": {"max_event_streams_per_address": 0}})").config.http.max_event_streams_per_address == 0);
}

TEST_CASE("a client's share of connections is half of them where nothing is said, and bodies have memory for at least one") {
    const Files files;
    CHECK(files.load_host("{}").config.http.max_connections_per_address == 6000);
    CHECK(files.load_host(R"({"http": {"max_connections": 101}})").config.http.max_connections_per_address == 50);
    CHECK(files.load_host(R"({"http": {"max_connections": 1}})").config.http.max_connections_per_address == 1);
    CHECK(files.load_host(R"({"http": {"max_connections_per_address": 0}})").config.http.max_connections_per_address == 0);
    CHECK(files.load_host("{}").config.http.max_body_memory_bytes == 67108864);
    CHECK(files.load_host(R"({"http": {"max_body_bytes": 100000000}})").config.http.max_body_memory_bytes == 100000000);
    const config::Loaded wrong = files.load_host(R"({"http": {"max_body_memory_bytes": 1000000}})");
    CHECK(test::text(wrong.problems).find("http.max_body_memory_bytes is less than http.max_body_bytes (1048576)") != std::string::npos);
}
