// SPDX-License-Identifier: Apache-2.0
#include "plugin/handler_names.hpp"
#include "plugin/module.hpp"

#include <catch2/catch.hpp>

using namespace weir::plugin;

TEST_CASE("a handler's name follows from the plugin's name and the event type") {
    CHECK(handler_symbol("linting", "user.created.v1") == "handle_linting_user_created");
    CHECK(handler_symbol("linting", "user.created.v2") == "handle_linting_user_created_v2");
    CHECK(handler_symbol("linting", "user.created.v10") == "handle_linting_user_created_v10");
    CHECK(handler_symbol("spell-check", "user_prefs.v1") == "handle_spell_check_user_prefs");
    CHECK(handler_symbol("linting", "UserCreated") == "handle_linting_UserCreated");
}

TEST_CASE("a handler for another version of a type is found, and nothing else is taken for one") {
    const std::vector<std::string> symbols{"handle_p_user_created", "handle_p_user_created_today", "handle_p_user_moved_v2"};
    CHECK(other_version(symbols, "p", "user.created.v2") == "handle_p_user_created");
    CHECK(other_version(symbols, "p", "user.moved.v1") == "handle_p_user_moved_v2");
    CHECK(other_version(symbols, "p", "user.created_today.v3") == "handle_p_user_created_today");
    CHECK(other_version(symbols, "p", "user.v1").empty());
    CHECK(other_version(symbols, "p", "user.created.v1").empty());
}

TEST_CASE("two known types that meet on one exported symbol are found, naming both") {
    const std::vector<std::string> symbols{"handle_p_user_created"};
    const auto collision = find_collision(symbols, "p", {"user.created.v1", "user.moved.v1", "user_created.v1"});
    REQUIRE(collision);
    CHECK(collision->find("user.created.v1") != std::string::npos);
    CHECK(collision->find("user_created.v1") != std::string::npos);
    CHECK_FALSE(find_collision(symbols, "p", {"user.created.v1", "user.created.v1"}));
    CHECK_FALSE(find_collision({}, "p", {"user.created.v1", "user_created.v1"}));
}
