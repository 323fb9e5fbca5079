// SPDX-License-Identifier: Apache-2.0
// What a route that reads sees while others commit.
#include "desk.hpp"

#include "engine/route_service.hpp"

#include <catch2/catch.hpp>
#include <functional>

using namespace weir;
using namespace weir::test;

namespace {

constexpr std::uint32_t kNotes = 0; // the fixture's table; its key is a text, its second column as well

weir_view view(std::string_view text) { return {text.data(), text.size()}; }

/// What a row says; empty where it isn't there.
std::string words_of(const weir_row_v1 *row) {
    const auto *words =
        row ? reinterpret_cast<const weir_cell_v1 *>(reinterpret_cast<const char *>(row->cells) + row->cell_stride) : nullptr;
    return words ? std::string(words->text.data, words->text.size) : std::string();
}

std::string read(const weir_call_v1 *call, std::string_view id) {
    weir_cell_v1 key{};
    key.text = view(id);
    const weir_row_v1 *row = nullptr;
    return call->read(call, kNotes, &key, 1, sizeof key, &row) == WEIR_FOUND ? words_of(row) : "";
}

std::string scan(const weir_call_v1 *call) {
    weir_scan_v1 all{};
    all.size = sizeof all;
    all.table = kNotes;
    all.index = WEIR_SCAN_PRIMARY_KEY;
    all.limit = 10;
    std::string seen;
    call->scan(
        call, &all,
        [](void *user, const weir_row_v1 *row) {
            static_cast<std::string *>(user)->append(words_of(row)).append(" ");
            return std::int32_t{1};
        },
        &seen);
    return seen;
}

struct Reading {
    std::function<void()> meanwhile;
    std::string seen;
};

/// Reads a note, lets others commit, and reads what is left.
weir_status read_slowly(const void *user, void *, const weir_http_request_v1 *, const weir_http_reply_v1 *, const weir_call_v1 *call) {
    auto &reading = *static_cast<Reading *>(const_cast<void *>(user));
    reading.seen = read(call, "a") + " ";
    reading.meanwhile();
    reading.seen += read(call, "b") + " " + scan(call);
    return WEIR_OK;
}

} // namespace

TEST_CASE("a route that reads sees of each commit everything or nothing, however long it reads") {
    Desk desk;
    const std::shared_ptr<engine::RouteService> service = desk.board.services().at("desk");
    const auto save = [&](const std::string &id, const std::string &words) {
        return desk.ask("POST", "/desk/notes", R"({"id":")" + id + R"(","words":")" + words + "\"}").status;
    };
    REQUIRE(save("a", "old-a") == 201);
    REQUIRE(save("b", "old-b") == 201);

    Reading reading;
    plugin::Route route;
    route.path = "/slow";
    route.handle = read_slowly;
    route.user = &reading;
    reading.meanwhile = [&] {
        CHECK(save("a", "new-a") == 201); // which doesn't wait for the reader
        CHECK(save("b", "new-b") == 201);
        CHECK(save("c", "new-c") == 201);
    };
    int status = 0;
    const auto ask = [&] { service->answer(route, {}, [&](const engine::RouteAnswer &answer) { status = answer.status; }); };
    ask();
    CHECK(status == 204);
    CHECK(reading.seen == "old-a old-b old-a old-b ");

    // The session that it gives back reads anew, and one that a change takes writes.
    reading.meanwhile = [] {};
    ask();
    CHECK(reading.seen == "new-a new-b new-a new-b new-c ");
    for (int i = 0; i < 8; ++i) {
        CHECK(save("d", std::to_string(i)) == 201);
        ask();
        CHECK(reading.seen == "new-a new-b new-a new-b new-c " + std::to_string(i) + " ");
    }
}
