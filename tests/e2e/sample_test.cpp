// SPDX-License-Identifier: Apache-2.0
#include "sample.hpp"

#include <catch2/catch.hpp>

#include <cstdio>
#include <random>

using namespace weir::test;

namespace {

/// Both domains over the sample, on a broker file that is copied so that publishing costs nothing.
class Runs {
public:
    Runs() { published_.publish(kIdentityTopic, sample()); }

    void run(std::uint32_t batch_size) {
        INFO("engine.batch_max_events " << batch_size);
        Installation installation({"linting", "spellcheck"});
        for (const auto &file : std::filesystem::directory_iterator(published_.root())) {
            if (file.path().filename().string().starts_with("broker.db")) {
                std::filesystem::copy_file(file.path(), installation.root() / file.path().filename());
            }
        }
        installation.set("engine.batch_max_events", std::to_string(batch_size));
        const auto report = installation.drain();
        REQUIRE(report.size() == 2);
        check_counts(report.at("linting").counts, expectation());
        check_counts(report.at("spellcheck").counts, expectation());
        check_domains(installation, expectation());
    }

private:
    Installation published_{{}};
};

} // namespace

TEST_CASE("the sample ends in the expected rows and counts, published and served by the commands alone") {
    Installation installation({"linting", "spellcheck"});
    const auto file = source_directory() / "tests/samples/identity.user.v1.jsonl";
    const auto publishing =
        installation.command({"publish", "-c", installation.config().string(), "--topic", kIdentityTopic, "--raw", file.string()});
    REQUIRE(publishing->wait());
    INFO(publishing->log());
    REQUIRE(publishing->wait()->exit_code == 0);
    const auto report = installation.drain();
    check_counts(report.at("linting").counts, expectation());
    check_counts(report.at("spellcheck").counts, expectation());
    check_domains(installation, expectation());

    const std::map<std::string, std::int64_t> kinds{{"malformed_json", 12},    {"invalid_utf8", 20},   {"too_deep", 14},
                                                    {"not_an_object", 21},     {"missing_member", 23}, {"invalid_member", 21},
                                                    {"contract_violation", 58}};
    for (const char *schema : {"linting", "spell_checking"}) {
        auto found = tally(installation.database(schema), "select error_type, count(*) from dead_letter_queue group by error_type");
        std::string rest;
        std::int64_t of_values = 0; // text that no store takes: U+0000
        for (const auto &[kind, count] : found) {
            if (!kinds.contains(kind)) {
                rest += kind + " ";
                of_values += count;
            } else {
                CHECK(count == kinds.at(kind));
            }
        }
        INFO("other kinds: " << rest);
        CHECK(rest == "invalid_value ");
        CHECK(of_values == 16);
        CHECK(number(installation.database(schema), "select count(*) from dead_letter_queue where error_message = ''") == 0);
        CHECK(number(installation.database(schema),
                     "select count(*) from dead_letter_queue where length(raw) = 0 and event_data is null") == 0);
    }
}

TEST_CASE("the sample ends in the expected rows and counts for every size of batch") {
    Runs runs;
    for (const std::uint32_t size : {1u, 2u, 3u, 7u, 64u, 333u, 1000u, 3000u}) {
        runs.run(size);
    }
    std::mt19937_64 random(seed());
    for (int i = knob("WEIR_TEST_BATCH_SIZES", 3); i > 0; --i) {
        const auto size = static_cast<std::uint32_t>(random() % 3000 + 1);
        std::printf("random batch size %u\n", size);
        runs.run(size);
    }
}

TEST_CASE("over four partitions, where only keys are in order, the sample ends in the same rows and counts") {
    Installation installation({"linting", "spellcheck"});
    installation.set("broker.url", "embedded://" + (installation.root() / "four.db").string() + "?synchronous=normal&partitions=4");
    installation.set("engine.batch_max_events", "50");
    installation.publish(kIdentityTopic, sample());
    const auto report = installation.drain();
    check_counts(report.at("linting").counts, expectation());
    check_counts(report.at("spellcheck").counts, expectation());
    check_domains(installation, expectation());
}
