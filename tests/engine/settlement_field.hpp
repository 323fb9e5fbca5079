// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/settlement.hpp"
#include "engine_fixture.hpp"
#include "event/decoder.hpp"
#include "settlement_plugin.hpp"
#include "watched_session.hpp"

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace weir::test::settling {

/// A store whose database refuses trails with a "!" and counts above a million, and what settles batches into it.
struct Field {
    EngineFixture fixture;
    plugin::Description description = played();
    std::unique_ptr<engine::HandlerLanes> lanes;
    std::unique_ptr<WatchedSession> session;

    /// @param at_the_end PostgreSQL looks at it when the transaction ends, or when it is told to
    explicit Field(std::chrono::milliseconds batch_time = std::chrono::minutes(10), bool at_the_end = false) {
        session = std::make_unique<WatchedSession>(fixture.session(description));
        if (on_postgresql() && at_the_end) {
            run_in_test_store(fixture.directory / "store", "items",
                              "create function refuse() returns trigger language plpgsql as $$ begin if new.trail like '%!%' or new.count "
                              "> 1000000 then raise exception using errcode = 'P0001', message = 'no'; end if; return new; end $$; "
                              "create constraint trigger refuse after insert or update on items deferrable initially deferred "
                              "for each row execute function refuse()");
        } else if (on_postgresql()) {
            run_in_test_store(fixture.directory / "store", "items",
                              "alter table items add check (trail not like '%!%'), add check (count <= 1000000)");
        } else {
            for (const char *what : {"insert", "update"}) {
                run_in_test_store(fixture.directory / "store", "items",
                                  std::string("create trigger no_bang_") + what + " before " + what +
                                      " on items when new.trail like '%!%' or new.count > 1000000 begin select raise(abort, 'no'); end");
            }
        }
        session = std::make_unique<WatchedSession>(fixture.session(description));
        const auto module =
            std::make_shared<TestModule>(description, std::map<std::string, weir_handler_v1, std::less<>>{{"item.played.v1", play}});
        std::string reason;
        engine::HandlerLanes::Setup setup;
        setup.instance = plugin::Instance::create(module, "items", "items", "{}", reason);
        setup.marks = std::make_shared<engine::CrashMarks>(fixture.directory / "marks", "items");
        setup.domain = "items";
        setup.budget = std::chrono::minutes(10);
        setup.batch_time = batch_time;
        lanes = std::make_unique<engine::HandlerLanes>(std::move(setup));
    }

    std::vector<engine::Ran> settle(const std::vector<engine::WorkPtr> &batch) {
        session->begin({});
        engine::Settlement settlement(*session, description, *lanes);
        std::vector<engine::Ran> ran = settlement.settle(batch, engine::Settlement::Ledger::known_open);
        session->commit();
        return ran;
    }

    engine::WorkPtr work(int number, const std::string &id, const std::string &more) const {
        event::Binding binding;
        binding.topic = "items.v1";
        binding.keys = {"/payload/id"};
        const event::Decoder decoder(binding, fixture.contracts);
        auto message = std::make_shared<event::Message>();
        message->topic = "items.v1";
        message->position = {static_cast<std::uint64_t>(number) + 1, 0};
        message->body =
            item_event(number, "item.played.v1", R"({"id":")" + id + R"(","number":")" + std::to_string(number) + "\"" + more + "}");
        auto made = std::make_shared<engine::Work>();
        made->event = std::make_shared<const event::Event>(decoder.decode(message));
        made->order_key = id;
        return made;
    }

    std::vector<store::Row> rows(std::uint32_t table) const {
        store::Session::Scan scan;
        scan.table = table;
        scan.limit = 100'000;
        return session->scan(scan);
    }
};

} // namespace weir::test::settling
