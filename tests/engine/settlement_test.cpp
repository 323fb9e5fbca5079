// SPDX-License-Identifier: Apache-2.0
// What becomes of batches that the store refuses, held against the same events settled one by one.
#include "engine/settlement.hpp"

#include "settlement_field.hpp"

#include <catch2/catch.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <limits>
#include <random>
#include <set>
#include <thread>

using namespace weir;
using namespace weir::test;
using namespace weir::test::settling;

namespace {

bool was_applied(const engine::Ran &ran) { return ran.state == engine::Ran::State::finished && ran.result.status == WEIR_OK; }
bool is_dead(const engine::Ran &ran) { return ran.state == engine::Ran::State::finished && ran.result.status == WEIR_REJECT; }

/// What events come to one by one, each in a transaction of its own; those behind one that waits are held.
std::vector<engine::Ran> one_by_one(Field &field, const std::vector<engine::WorkPtr> &batch) {
    std::vector<engine::Ran> result;
    std::unordered_set<std::string> waiting;
    for (const engine::WorkPtr &work : batch) {
        result.emplace_back();
        if (!waiting.contains(work->order_key)) {
            result.back() = field.settle({work}).front();
        }
        if (!was_applied(result.back()) && !is_dead(result.back())) {
            waiting.insert(work->order_key);
        }
    }
    return result;
}

std::string mark(char letter) { return std::string(R"(,"mark":")") + letter + "\""; }

std::string random_payload(std::mt19937_64 &random, int poison_percent, int keys) {
    const auto below = [&](int limit) { return static_cast<int>(random() % static_cast<std::uint64_t>(limit)); };
    std::string more;
    if (below(100) < poison_percent) {
        switch (below(4)) {
        case 0:
            return mark('!');
        case 1:
            return R"(,"add":2000000)";
        case 2:
            return R"(,"add":)" + std::to_string(std::numeric_limits<std::int64_t>::max());
        default:
            more = R"(,"badge":"gold")";
        }
    }
    if (below(10) == 0) {
        more += R"(,"badge":"badge )" + std::to_string(below(40)) + "\"";
    }
    if (below(4) == 0) {
        return more + (below(3) == 0 ? R"(,"count":)" : R"(,"add":)") + std::to_string(1 + below(5));
    }
    if (below(5) == 0) {
        more += R"(,"from":"k)" + std::to_string(below(keys + 2)) + "\"";
    }
    return more + mark(static_cast<char>('a' + below(26)));
}

/// Any row that the events may have written, or none.
std::optional<store::RefusedRow> random_row(std::mt19937_64 &random) {
    switch (random() % 4) {
    case 0:
        return std::nullopt;
    case 1:
        return store::RefusedRow{1, {std::to_string(random() % 240)}};
    case 2:
        return store::RefusedRow{0, {std::string("nowhere")}};
    default:
        return store::RefusedRow{0, {"k" + std::to_string(random() % 12)}};
    }
}

} // namespace

TEST_CASE("a batch of which the store refuses some comes to what its events come to one by one") {
    std::mt19937_64 random(seed());
    const int rounds = on_postgresql() ? 12 : 8;
    for (int round = 0; round < rounds; ++round) {
        const bool at_the_end = round % 2 == 1;
        Field together(std::chrono::minutes(10), at_the_end);
        Field alone(std::chrono::minutes(10), at_the_end);
        std::mt19937_64 names(random());
        if (round % 3 != 0) { // what the store names is nothing to rely on, and may be nothing
            together.session->name_row = [&names](std::span<const store::TableFlush>) { return random_row(names); };
        }
        const int keys = 1 + static_cast<int>(random() % 12);
        const int poison_percent = round == 0 ? 100 : static_cast<int>(random() % 30);
        int number = 0;
        for (int batch = 0; batch < 4; ++batch) {
            std::vector<engine::WorkPtr> works;
            for (const int last = number + 1 + static_cast<int>(random() % 60); number < last; ++number) {
                const std::string id = "k" + std::to_string(random() % static_cast<unsigned>(keys));
                works.push_back(together.work(number, id, random_payload(random, poison_percent, keys)));
            }
            const std::vector<engine::Ran> ran = together.settle(works);
            const std::vector<engine::Ran> model = one_by_one(alone, works);
            CAPTURE(round, batch, seed());
            for (std::size_t i = 0; i < works.size(); ++i) {
                CAPTURE(i, works[i]->order_key, works[i]->event->message->body, ran[i].result.error.type, model[i].result.error.type);
                REQUIRE(was_applied(ran[i]) == was_applied(model[i]));
                REQUIRE(is_dead(ran[i]) == is_dead(model[i]));
            }
            for (const std::uint32_t table : {0U, 1U}) {
                REQUIRE(together.rows(table) == alone.rows(table));
            }
        }
    }
}

TEST_CASE("a refused batch whose time is up leaves its end to the next one, and nothing in between") {
    std::mt19937_64 random(seed());
    std::size_t cut = 0;
    for (int round = 0; round < 6; ++round) {
        Field together(std::chrono::milliseconds(15));
        Field alone;
        constexpr int kKeys = 4;
        for (int key = 0; key < kKeys + 2; ++key) { // so that no event asks for a retry
            for (Field *field : {&together, &alone}) {
                field->settle({field->work(1000 + key, "k" + std::to_string(key), mark('_'))});
            }
        }
        std::vector<engine::WorkPtr> works;
        for (int number = 0; number < 60; ++number) {
            const std::string id = "k" + std::to_string(random() % kKeys);
            works.push_back(together.work(number, id, random_payload(random, 20, kKeys)));
        }
        const std::vector<engine::Ran> model = one_by_one(alone, works);
        slow = {std::chrono::milliseconds(20), {}};
        std::size_t settled = 0;
        while (settled < works.size()) {
            const std::vector<engine::WorkPtr> batch(works.begin() + static_cast<std::ptrdiff_t>(settled), works.end());
            slow.ran.clear();
            const std::vector<engine::Ran> ran = together.settle(batch);
            const auto held =
                std::find_if(ran.begin(), ran.end(), [](const engine::Ran &one) { return !was_applied(one) && !is_dead(one); });
            CAPTURE(round, settled, held - ran.begin(), seed());
            REQUIRE(held != ran.begin());
            REQUIRE(std::none_of(held, ran.end(), [](const engine::Ran &one) { return was_applied(one) || is_dead(one); }));
            cut += held == ran.end() ? 0 : 1;
            for (auto one = ran.begin(); one != held; ++one, ++settled) {
                CAPTURE(works[settled]->event->message->body, one->result.error.type, model[settled].result.error.type);
                REQUIRE(was_applied(*one) == was_applied(model[settled]));
            }
        }
        slow = {};
        for (const std::uint32_t table : {0U, 1U}) {
            REQUIRE(together.rows(table) == alone.rows(table));
        }
    }
    CHECK(cut > 6);
}

TEST_CASE("an event whose handler is overdue is held where one of its key before it has to wait after a refusal") {
    const std::string from_parent = R"(,"from":"parent","mark":"a")";
    SECTION("for a retry, since the row that it needs was not written") {
        Field field;
        const std::vector<engine::WorkPtr> batch = {field.work(0, "parent", mark('!')), field.work(1, "child", from_parent),
                                                    field.work(2, "child", mark('b')), field.work(3, "other", mark('c'))};
        batch[2]->running_alone = true;
        const std::vector<engine::Ran> ran = field.settle(batch);
        CHECK(is_dead(ran[0]));
        CHECK(ran[1].result.status == WEIR_RETRY);
        CHECK(ran[2].state == engine::Ran::State::held);
        CHECK(was_applied(ran[3]));
    }
    SECTION("for the next batch, since the time is up") {
        Field field(std::chrono::milliseconds(15));
        field.settle({field.work(1000, "parent", mark('_'))});
        std::vector<engine::WorkPtr> batch = {field.work(0, "parent", mark('!'))};
        for (int number = 1; number < 6; ++number) { // each runs again, and takes longer than there is time
            batch.push_back(field.work(number, "key " + std::to_string(number), from_parent));
        }
        batch.push_back(field.work(6, "key 5", mark('b')));
        batch.back()->running_alone = true;
        batch.push_back(field.work(7, "key 7", mark('b')));
        batch.back()->running_alone = true;
        slow = {std::chrono::milliseconds(20), {}};
        const std::vector<engine::Ran> ran = field.settle(batch);
        slow = {};
        CHECK(is_dead(ran[0]));
        CHECK(ran[5].state == engine::Ran::State::held);
        CHECK(ran[6].state == engine::Ran::State::held);
        CHECK(ran[7].state == engine::Ran::State::overdue); // nothing of its key is before it
    }
}

TEST_CASE("an event that the store refuses makes no handler run again but those that read its rows") {
    const auto thousand = [](const Field &field, int poison, const std::string &what, int keys) {
        std::vector<engine::WorkPtr> works;
        for (int i = 0; i < 1000; ++i) {
            works.push_back(i == poison ? field.work(i, keys == 1 ? "k0" : "poison", what)
                                        : field.work(i, "k" + std::to_string(i % keys), mark('a')));
        }
        return works;
    };
    for (const std::string &what : {mark('!'), std::string(R"(,"mark":"p","badge":"gold")"), std::string(R"(,"add":2000000)")}) {
        for (const int keys : {500, 20, 1}) {
            Field field;
            field.settle({field.work(5000, "owner", R"(,"mark":"o","badge":"gold")")});
            runs = 0;
            constexpr int kPoison = 701;
            const auto works = thousand(field, kPoison, what, keys);
            const std::vector<engine::Ran> ran = field.settle(works);
            CAPTURE(what, keys);
            CHECK(is_dead(ran[kPoison]));
            CHECK(ran[kPoison].result.error.type == "data_refused");
            CHECK(std::count_if(ran.begin(), ran.end(), was_applied) == 999);
            CHECK(runs == 1000 + (keys == 1 ? 1000 - kPoison - 1 : 0)); // those behind it saw what it had done
            CHECK(field.fixture.trail(field.description, "k0") ==
                  std::string(static_cast<std::size_t>(keys == 1 ? 999 : 1000 / keys), 'a'));
        }
    }
}

TEST_CASE("where the store names the refused row, nothing is tried but the batch, what stands before the event, the event, and the rest") {
    for (const std::string &what : {mark('!'), std::string(R"(,"mark":"p","badge":"gold")"), std::string(R"(,"add":2000000)")}) {
        for (const bool named : {true, false}) {
            Field field;
            field.settle({field.work(5000, "owner", R"(,"mark":"o","badge":"gold")")});
            std::vector<engine::WorkPtr> works;
            for (int i = 0; i < 1000; ++i) {
                const std::string id = i == 701 ? "poison" : "k" + std::to_string(i % 500);
                works.push_back(field.work(i, id, i == 701 ? what : R"(,"mark":"a","badge":"badge )" + std::to_string(i) + "\""));
            }
            if (!named) {
                field.session->name_row = [](std::span<const store::TableFlush>) { return std::nullopt; };
            }
            field.session->flushes = field.session->refusals = field.session->trips = 0;
            const std::vector<engine::Ran> ran = field.settle(works);
            CAPTURE(what, named);
            CHECK(is_dead(ran[701]));
            CHECK(std::count_if(ran.begin(), ran.end(), was_applied) == 999);
            if (named) {
                CHECK(field.session->flushes == 4);
                CHECK(field.session->refusals == 2);
                CHECK(field.session->trips == 2); // the batch; what stands before the event, the event, and the rest together
            } else {
                CHECK(field.session->flushes > 4 + 8); // it is looked for among 1,500 rows
            }
        }
    }
}

TEST_CASE("an update that is refused, of a row that only an event before it makes, is not taken for one of a row that isn't there") {
    Field field;
    const std::vector<engine::Ran> ran = field.settle(
        {field.work(0, "k", R"(,"add":1)"), field.work(1, "k", R"(,"badge":"gold","count":2000000)"), field.work(2, "k", R"(,"count":2)")});
    CHECK(was_applied(ran[0]));
    CHECK(is_dead(ran[1]));
    CHECK(was_applied(ran[2]));
    CHECK(field.rows(1).empty());
    REQUIRE(field.rows(0).size() == 1);
    CHECK(field.rows(0)[0][1] == store::Value(std::int64_t{3}));
}

TEST_CASE("an event that was folded blindly with one that is dead by now is folded without it, upon what the store holds then") {
    Field field;
    field.settle({field.work(5000, "owner", R"(,"mark":"o","badge":"gold")")});
    const std::string gold = R"(,"badge":"gold")";
    const std::vector<engine::Ran> ran =
        field.settle({field.work(0, "x", gold + mark('x')), field.work(1, "k", gold + R"(,"add":1)"), field.work(2, "o", mark('o')),
                      field.work(3, "k", gold + R"(,"count":2)"), field.work(4, "p", mark('p'))});
    for (std::size_t i = 0; i < ran.size(); ++i) {
        CAPTURE(i);
        CHECK((i % 2 == 0 && i > 0 ? was_applied(ran[i]) : is_dead(ran[i])));
    }
    CHECK(field.fixture.trail(field.description, "o") == "o");
    CHECK(field.fixture.trail(field.description, "p") == "p");
}

TEST_CASE("a store that names wrong rows costs two tries each, and no more than two times") {
    const auto flushes = [](bool lies) {
        Field field;
        std::vector<engine::WorkPtr> works;
        for (int i = 0; i < 1000; ++i) {
            works.push_back(i == 701 ? field.work(i, "poison", mark('!')) : field.work(i, "k" + std::to_string(i % 500), mark('a')));
        }
        int turn = 0;
        field.session->name_row = [&](std::span<const store::TableFlush>) {
            return lies ? std::optional(store::RefusedRow{0, {"k" + std::to_string(turn++)}}) : std::nullopt;
        };
        const std::vector<engine::Ran> ran = field.settle(works);
        CHECK(is_dead(ran[701]));
        CHECK(std::count_if(ran.begin(), ran.end(), was_applied) == 999);
        return field.session->flushes;
    };
    const std::size_t honest = flushes(false);
    // k0 and k1 stand twice in the batch: which of the two it is, is tried as well. The first is believed to be dead, and what stands
    // behind it written at once, in vain.
    CHECK(flushes(true) <= honest + 2 * 2 + 4 + 1);
}

TEST_CASE("What a refused event costs its batch", "[.measure]") {
    constexpr int kEvents = 1000;
    const int rounds = 30;
    Field field;
    field.settle({field.work(-1, "owner", R"(,"mark":"o","badge":"gold")")});
    std::array<std::vector<double>, 3> milliseconds;
    int number = 0;
    for (int round = 0; round < rounds; ++round) {
        for (std::size_t way = 0; way < milliseconds.size(); ++way) { // none is refused; the store names it; it is looked for
            std::vector<engine::WorkPtr> works;
            for (int i = 0; i < kEvents; ++i, ++number) {
                const bool poison = way > 0 && i == kEvents / 2;
                works.push_back(poison ? field.work(number, "poison", R"(,"mark":"","badge":"gold")")
                                       : field.work(number, "k" + std::to_string(i % 20), R"(,"mark":"")"));
            }
            field.session->name_row = nullptr;
            if (way == 2) {
                field.session->name_row = [](std::span<const store::TableFlush>) { return std::nullopt; };
            }
            const auto began = std::chrono::steady_clock::now();
            const std::vector<engine::Ran> ran = field.settle(works);
            milliseconds[way].push_back(std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - began).count());
            REQUIRE(std::count_if(ran.begin(), ran.end(), is_dead) == (way > 0 ? 1 : 0));
        }
    }
    for (std::vector<double> &of_way : milliseconds) {
        std::sort(of_way.begin(), of_way.end());
    }
    const auto median = [&](std::size_t way) { return milliseconds[way][milliseconds[way].size() / 2]; };
    std::printf("a batch of %d: %.2f ms; with one that is refused %.2f ms where the store names its row, %.2f ms where it is looked for\n",
                kEvents, median(0), median(1), median(2));
}
