// SPDX-License-Identifier: Apache-2.0
// [tables]
#include <weir/plugin.hpp>

struct Members : weir::Table<Members> {
    Uuid tenant_id{this, "tenant_id"};
    Uuid member_id{this, "member_id"};
    Nullable<CaseInsensitiveText> email{this, "email"};
    Text plan{this, "plan"};
    Timestamp updated_at{this, "updated_at"};

    constexpr Members() : Table("members") {}
    constexpr auto primary_key() const { return weir::key(tenant_id, member_id); }
    constexpr auto indexes() const { return weir::list(weir::unique("members_email", tenant_id, email)); }
};
inline constexpr Members members;

struct Plans : weir::Table<Plans> {
    Uuid tenant_id{this, "tenant_id"};
    Text plan{this, "plan"};
    Int64 member_count{this, "member_count", weir::default_to(0)};

    constexpr Plans() : Table("plans") {}
    constexpr auto primary_key() const { return weir::key(tenant_id, plan); }
};
inline constexpr Plans plans;
// [/tables]

// [instance]
struct Defaults {
    std::string plan;
    explicit Defaults(const weir::Setup &setup) : plan(setup.settings().text("default_plan")) {
        if (plan.empty()) {
            throw weir::SettingsError("settings.default_plan must name a plan");
        }
    }
};
// [/instance]

// [plugin]
WEIR_PLUGIN(members, "members", "1.0.0") {
    plugin.summary("Keeps who is a member, and how many members each plan has")
        .tables(members, plans)
        .reads("member.joined.v1", members, "/tenant_id", "/payload/member_id")
        .reads("member.moved.v1", members, "/tenant_id", "/payload/member_id")
        .domain({.name = "members",
                 .schema = "members",
                 .group = "members_group",
                 .topics = {"billing.member.v1"},
                 .bindings = {{.topic = "billing.member.v1", .envelope_required = true, .keys = {"/tenant_id", "/payload/member_id"}}}})
        .settings(R"({"default_plan": "free"})")
        .instance<Defaults>();
}
// [/plugin]

// [joined]
WEIR_HANDLER(members, member_joined) {
    const auto tenant = event.tenant_uuid();
    const auto member = event.uuid("/member_id");
    if (call.read(members, tenant, member)) {
        return call.skip(); // counted already
    }
    const std::string plan(event.optional_text("/plan").value_or(call.instance<Defaults>().plan));
    call.insert(members, tenant, member)
        .set(members.email, event.optional_text("/email"))
        .set(members.plan, plan)
        .set(members.updated_at, event.occurred_at());
    call.upsert(plans, tenant, plan).add(plans.member_count, 1);
}
// [/joined]

// [moved]
WEIR_HANDLER(members, member_moved) {
    const auto tenant = event.tenant_uuid();
    const auto member = event.uuid("/member_id");
    const auto plan = event.text("/plan");
    const auto row = call.read(members, tenant, member);
    if (!row) {
        return call.reject("unknown_member", "/payload/member_id: nobody with this id has joined");
    }
    const std::string before((*row)[members.plan]);
    call.update(members, tenant, member).set(members.plan, plan).set(members.updated_at, event.occurred_at());
    call.upsert(plans, tenant, before).add(plans.member_count, -1);
    call.upsert(plans, tenant, plan).add(plans.member_count, 1);
    const std::string payload = R"({"member_id": ")" + std::string(member.text()) + R"("})";
    call.emit({.topic = "members.plan.v1", .key = member.text(), .type = "plan.changed.v1", .payload = payload});
}
// [/moved]

// [renamed]
WEIR_HANDLER(members, member_email_changed) {
    call.update(members, event.tenant_uuid(), event.uuid("/member_id"))
        .set_carried(members.email, event, "/email")
        .set(members.updated_at, event.occurred_at())
        .unless_later(members.updated_at, event.occurred_at());
}
// [/renamed]
