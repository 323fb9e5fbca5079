// SPDX-License-Identifier: Apache-2.0
#include "support.hpp"

#include <catch2/catch.hpp>

#include <cstdlib>

namespace {

const std::string tables = R"cpp(
#include <weir/plugin.hpp>
struct Users : weir::Table<Users> {
    Uuid id{this, "id"};
    Text name{this, "name"};
    Nullable<Text> email{this, "email"};
    Int64 visits{this, "visits", weir::default_to(0)};
    Timestamp seen{this, "seen", weir::default_now};
    constexpr Users() : Table("users") {}
    constexpr auto primary_key() const { return weir::key(id); }
};
inline constexpr Users users;
struct Others : weir::Table<Others> {
    Text name{this, "name"};
    Nullable<Text> maybe{this, "maybe"};
    constexpr Others() : Table("others") {}
    constexpr auto primary_key() const { return weir::key(name); }
};
inline constexpr Others others;
)cpp";

std::string handler(const std::string &body) {
    return tables + "WEIR_PLUGIN(p, \"p\", \"1.0.0\") { plugin.tables(users, others); }\nWEIR_HANDLER(p, e) { " + body + " }\n";
}

bool compiles(const std::string &source) {
    const weir::test::TemporaryDirectory directory;
    weir::test::write_file(directory / "plugin.cpp", source);
    return std::system((std::string(WEIR_TEST_CXX_COMPILER) + " -std=c++20 -fsyntax-only -I'" +
                        (weir::test::source_directory() / "sdk/include").string() + "' '" + (directory / "plugin.cpp").string() +
                        "' > /dev/null 2>&1")
                           .c_str()) == 0;
}

} // namespace

TEST_CASE("a column may be called like anything that a table has itself") {
    CHECK(compiles(
        "#include <weir/plugin.hpp>\nstruct T : weir::Table<T> { Uuid name{this, \"name\"}; Int64 columns{this, \"columns\"}; Int64 "
        "column_count{this, \"column_count\"}; Bool append{this, \"append\"}; Text key{this, \"key\"}; Text index{this, \"index\"}; "
        "constexpr T() : Table(\"t\") {} constexpr auto primary_key() const { return weir::key(name); } }; inline constexpr T t;\n"
        "WEIR_PLUGIN(p, \"p\", \"1\") { plugin.tables(t); }"));
}

TEST_CASE("what the cases below are variations of does compile") {
    CHECK(compiles(handler("call.upsert(users, call.new_id(0)).set(users.name, \"a\").set(users.email, std::nullopt).add(users.visits, "
                           "1).max(users.seen, call.now());")));
}

TEST_CASE("a handler that mistakes one column or table for another does not compile") {
    const auto body = GENERATE(as<std::string>(), "call.upsert(users, call.new_id(0)).set(others.maybe, \"a\");", // another table's column
                               "call.upsert(users, call.new_id(0)).set(users.name, std::nullopt);",               // null where none may be
                               "call.upsert(users, call.new_id(0)).set(users.visits, \"a\");",                    // another type
                               "call.upsert(users, call.new_id(0)).add(users.name, \"a\");",                      // no sum of texts
                               "call.upsert(users, \"a\");",                                                      // a text is no id
                               "call.read(users, call.new_id(0), 1);",                                            // too long a key
                               "call.insert(users, call.new_id(0)).unless_later(users.seen, call.now());",        // an insert has no guard
                               "call.erase(users, call.new_id(0)).set(users.name, \"a\");");                      // an erasure sets nothing
    INFO(body);
    CHECK_FALSE(compiles(handler(body)));
}

TEST_CASE("a declaration that the host would refuse does not compile") {
    const auto column = GENERATE(as<std::string>(), "Text wrong{this, \"Wrong\"};", "Text wrong{this, \"id\"};",
                                 "Int64 wrong{this, \"wrong\", weir::default_to(\"a\")};",
                                 "Text wrong{this, \"wrong\", weir::default_now};", "Decimal<19, 2> wrong{this, \"wrong\"};");
    INFO(column);
    CHECK_FALSE(
        compiles("#include <weir/plugin.hpp>\nstruct T : weir::Table<T> { Uuid id{this, \"id\"}; " + column +
                 " constexpr T() : Table(\"t\") {} constexpr auto primary_key() const { return weir::key(id); } }; inline constexpr T t;"));
}

TEST_CASE("a plugin whose name is not its identifier does not compile") {
    CHECK(compiles("#include <weir/plugin.hpp>\nWEIR_PLUGIN(a_b, \"a-b\", \"1\") {}"));
    CHECK_FALSE(compiles("#include <weir/plugin.hpp>\nWEIR_PLUGIN(a_b, \"a_b\", \"1\") {}"));
    CHECK_FALSE(compiles("#include <weir/plugin.hpp>\nWEIR_PLUGIN(ab, \"a-b\", \"1\") {}"));
}
