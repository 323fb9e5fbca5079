// SPDX-License-Identifier: Apache-2.0
#include "contract_support.hpp"
#include "embedded_fixture.hpp"

#include <catch2/catch.hpp>

#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <future>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace weir;
using namespace std::chrono_literals;

namespace {
void overwrite(const std::filesystem::path &file, std::streamoff at, const std::string &bytes) {
    std::fstream out(file, std::ios::in | std::ios::out | std::ios::binary);
    out.seekp(at);
    out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    REQUIRE(out.flush());
}

mode_t mode_of(const std::filesystem::path &path) {
    struct stat status {};
    REQUIRE(stat(path.c_str(), &status) == 0);
    return status.st_mode & 0777;
}
} // namespace

TEST_CASE("the file and its directories are made for their owner only, wherever they are") {
    const test::TemporaryDirectory directory;
    auto options = test::embedded_options(directory);
    options.file = directory / "a b  c=d/ü 'e'/broker one.db";
    broker::open_embedded_broker(options)->publish("t", test::numbered(0, 1));
    CHECK(mode_of(directory / "a b  c=d") == 0700);
    CHECK(mode_of(options.file) == 0600);
    CHECK(broker::open_embedded_broker(options)->browse({"t", 0}, std::nullopt, 9).size() == 1);
}

TEST_CASE("a file that is not a broker's is refused with what to do, and left as it is") {
    const test::TemporaryDirectory directory;
    const auto options = test::embedded_options(directory);
    SECTION("text") {
        test::write_file(options.file, std::string(5000, 'x'));
        CHECK_THROWS_AS(broker::open_embedded_broker(options), broker::Misconfigured);
        CHECK_THROWS_WITH(broker::open_embedded_broker(options), Catch::Contains("broker.url"));
        CHECK(test::read_file(options.file) == std::string(5000, 'x'));
    }
    SECTION("another program's database") {
        broker::open_embedded_broker(options);
        overwrite(options.file, 68, std::string("\0\0\0\x07", 4));
        CHECK_THROWS_WITH(broker::open_embedded_broker(options), Catch::Contains("another program"));
    }
    SECTION("a later version's") {
        broker::open_embedded_broker(options);
        overwrite(options.file, 60, std::string("\0\0\0\x09", 4));
        CHECK_THROWS_WITH(broker::open_embedded_broker(options), Catch::Contains("later version"));
    }
    SECTION("a directory") {
        std::filesystem::create_directory(options.file);
        CHECK_THROWS(broker::open_embedded_broker(options));
    }
}

TEST_CASE("damage is reported as damage, never as a crash or as other messages") {
    std::mt19937_64 random(test::seed());
    for (int round = 0; round < 15 * test::rounds(); ++round) {
        const test::TemporaryDirectory directory;
        const auto options = test::embedded_options(directory);
        std::vector<broker::Outgoing> sent;
        for (int number = 0; number < 200; ++number) {
            sent.push_back({"", {}, std::to_string(number) + std::string(300, 'x')});
        }
        broker::open_embedded_broker(options)->publish("t", sent);
        const auto size = std::filesystem::file_size(options.file);
        if (round % 5 == 0) {
            std::filesystem::resize_file(options.file, random() % size);
        } else {
            std::string noise(random() % 6000 + 100, '\0');
            for (char &c : noise) {
                c = static_cast<char>(random());
            }
            overwrite(options.file, static_cast<std::streamoff>(random() % (size - noise.size())), noise);
        }
        try {
            const auto broker = broker::open_embedded_broker(options);
            const auto consumer = test::subscribe(*broker, "c");
            test::claim_all(*consumer);
            consumer->ack(test::read_rest(*consumer));
            consumer->lag();
            broker->topics();
            broker->publish("t", test::numbered(0, 1));
        } catch (const broker::Misconfigured &) {
        } catch (const broker::Unavailable &) {
        }
    }
    SUCCEED("nothing else was thrown, and the process lives");
}

TEST_CASE("a damaged table is Misconfigured and says how to save what is left") {
    const test::TemporaryDirectory directory;
    const auto options = test::embedded_options(directory);
    broker::open_embedded_broker(options)->publish("t", test::numbered(0, 5000));
    overwrite(options.file, 4096, std::string(std::filesystem::file_size(options.file) - 4096, '\xee'));
    try {
        const auto broker = broker::open_embedded_broker(options);
        broker->publish("t", test::numbered(0, 1));
        FAIL("damage went unseen");
    } catch (const broker::Misconfigured &error) {
        CHECK_THAT(error.what(), Catch::Contains("recover") && Catch::Contains("broker.url"));
    }
}

TEST_CASE("a full disk refuses whole batches, says so, and hurts nothing that was taken") {
    const test::TemporaryDirectory directory;
    const auto options = test::embedded_options(directory);
    broker::open_embedded_broker(options)->publish("t", test::numbered(0, 100));
    test::Child child([&](const test::Child::Say &say) {
        std::signal(SIGXFSZ, SIG_IGN);
        const auto broker = broker::open_embedded_broker(options);
        rlimit limit{};
        getrlimit(RLIMIT_FSIZE, &limit);
        const rlimit tight{3u << 20, limit.rlim_max};
        setrlimit(RLIMIT_FSIZE, &tight);
        int sent = 100;
        int refused = 0;
        const std::vector<broker::Outgoing> padding(1, broker::Outgoing{"", {}, std::string(20000, 'x')});
        for (int attempt = 0; attempt < 400; ++attempt) {
            try {
                broker->publish("padding", padding);
                broker->publish("t", test::numbered(sent, 10));
                sent += 10;
            } catch (const broker::Unavailable &error) {
                if (std::strstr(error.what(), "xxxx")) {
                    return 3; // a message's body has no place in an error
                }
                refused += 1;
            }
        }
        say(std::to_string(refused));
        setrlimit(RLIMIT_FSIZE, &limit);
        broker->publish("t", test::numbered(sent, 10));
        say(std::to_string(sent + 10));
        return 0;
    });
    std::vector<std::string> said;
    const int status = child.wait(&said);
    INFO((said.empty() ? "" : said.back()));
    REQUIRE(status == 0);
    CHECK(std::stoi(said.at(0)) > 0);
    const int sent = std::stoi(said.at(1));
    const auto broker = broker::open_embedded_broker(options);
    const auto consumer = test::subscribe(*broker, "c");
    test::claim_all(*consumer);
    CHECK(test::bodies(test::read_rest(*consumer)) == test::expected(0, sent));
}

TEST_CASE("a read-only store is Unavailable and names the file") {
    const test::TemporaryDirectory directory;
    const auto options = test::embedded_options(directory);
    broker::open_embedded_broker(options)->publish("t", test::numbered(0, 1));
    chmod(directory.path().c_str(), 0555);
    chmod(options.file.c_str(), 0444);
    test::Child child([&](const test::Child::Say &say) {
        if (geteuid() == 0 && setuid(65534) != 0) {
            return 4;
        }
        try {
            broker::open_embedded_broker(options)->publish("t", test::numbered(1, 1));
            return 5;
        } catch (const broker::Unavailable &error) {
            say(error.what());
            return 0;
        }
    });
    std::vector<std::string> said;
    CHECK(child.wait(&said) == 0);
    chmod(directory.path().c_str(), 0755);
    REQUIRE(said.size() == 1);
    CHECK_THAT(said[0], Catch::Contains("broker.db") && Catch::Contains("WEIR_BROKER_URL"));
}

TEST_CASE("a message that is too large refuses its whole batch by number") {
    const test::TemporaryDirectory directory;
    const auto broker = broker::open_embedded_broker(test::embedded_options(directory));
    std::vector<broker::Outgoing> batch = test::numbered(0, 3);
    batch[1].body.assign(broker::kMaxMessageBytes + 1, 'x');
    CHECK_THROWS_WITH(broker->publish("t", batch), Catch::Contains("message 2 of 3"));
    CHECK(broker->topics().empty());
    batch[1].body.resize(broker::kMaxMessageBytes);
    broker->publish("t", batch);
    const auto consumer = test::subscribe(*broker, "c");
    test::claim_all(*consumer);
    CHECK(consumer->read({100, 4u << 20}, 1s).size() == 1);
    CHECK(consumer->read({100, 4u << 20}, 1s).at(0)->body == batch[1].body);
}

TEST_CASE("an ack that can't be written is kept and written later") {
    const test::TemporaryDirectory directory;
    auto options = test::embedded_options(directory);
    options.busy_timeout = 50ms;
    broker::open_embedded_broker(options)->publish("t", test::numbered(0, 10));
    // Another process takes SQLite's lock for writers once it is told to.
    test::Child holder([&](const test::Child::Say &say) {
        if (!test::eventually([&] { return std::filesystem::exists(directory / "go"); })) {
            return 4;
        }
        const int shared = open((options.file.string() + "-shm").c_str(), O_RDWR);
        struct flock lock {};
        lock.l_type = F_WRLCK;
        lock.l_whence = SEEK_SET;
        lock.l_start = 120; // [sqlite.org/walformat.html#locks]
        lock.l_len = 1;
        say(shared >= 0 && fcntl(shared, F_SETLK, &lock) == 0 ? "held" : "error: not held");
        pause();
        return 0;
    });
    const auto broker = broker::open_embedded_broker(options);
    const auto consumer = test::subscribe(*broker, "c");
    test::claim_all(*consumer);
    const auto got = test::read_count(*consumer, 10);
    REQUIRE(got.size() == 10);
    test::write_file(directory / "go", "");
    std::string line;
    REQUIRE(holder.line(line));
    REQUIRE(line == "held");
    CHECK_THROWS_WITH(broker->publish("t", test::numbered(10, 1)), Catch::Contains("busy_timeout_ms=50"));
    CHECK_THROWS_AS(broker->publish("t", test::numbered(10, 1)), broker::Unavailable);
    consumer->ack(std::span(got).first(6)); // no error: the adapter keeps it
    CHECK(broker->topics().at(0).groups.at(0).pending == 10);
    holder.kill();
    holder.wait();
    CHECK(consumer->read({}, 0ms).empty());
    CHECK(broker->topics().at(0).groups.at(0).pending == 4);
    CHECK(broker->topics().at(0).length == 10);
}

TEST_CASE("many processes open a new file at once") {
    const test::TemporaryDirectory directory;
    const auto options = test::embedded_options(directory);
    std::vector<test::Child> children;
    for (int number = 0; number < 8; ++number) {
        children.emplace_back([&](const test::Child::Say &) {
            broker::open_embedded_broker(options)->publish("t", test::numbered(0, 5));
            return 0;
        });
    }
    for (auto &child : children) {
        std::vector<std::string> said;
        CHECK(child.wait(&said) == 0);
        for (const auto &text : said) {
            UNSCOPED_INFO(text);
        }
    }
    const auto broker = broker::open_embedded_broker(options);
    REQUIRE(broker->topics().size() == 1);
    CHECK(broker->topics().at(0).length == 40);
}
