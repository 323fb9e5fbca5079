// SPDX-License-Identifier: Apache-2.0
#include <weir/plugin.hpp>

struct Users : weir::Table<Users> {
    Uuid user_id{this, "user_id"};
    Nullable<Text> email{this, "email"};
    constexpr Users() : Table("users") {}
    constexpr auto primary_key() const { return weir::key(user_id); }
};
inline constexpr Users users;
WEIR_PLUGIN(hello, "hello", "1.0.0") {
    plugin.tables(users).domain({.name = "hello", .schema = "hello", .group = "hello", .topics = {"identity.user.v1"}});
}
WEIR_HANDLER(hello, user_created) { // user.created.v1
    call.upsert(users, event.uuid("/user_id")).set(users.email, event.optional_text("/email"));
}
