// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "watched_session.hpp"

#include <string>

namespace weir::test {

/// A store that hands everything on to another, and tells before its sessions begin a transaction.
class WatchedStore final : public store::Store {
public:
    /// @param store outlives this
    explicit WatchedStore(store::Store &store) : store_(store) {}

    /// See WatchedSession; of all sessions that are opened from now on, on any thread.
    std::function<void()> before_begin;
    /// Called with each session that is opened, on the thread that opens it.
    std::function<void(WatchedSession &)> opened;

    std::unique_ptr<store::DomainStore> domain(const std::string &schema_name) override {
        return std::make_unique<Domain>(*this, store_.domain(schema_name));
    }
    std::unique_ptr<store::Replacement> replace_by_shadow(const std::string &schema_name, const store::Schema &tables) override {
        return store_.replace_by_shadow(schema_name, tables);
    }
    void remove_shadow(const std::string &schema_name) override { store_.remove_shadow(schema_name); }
    bool has_domain(const std::string &schema_name) override { return store_.has_domain(schema_name); }
    void give_up() noexcept override { store_.give_up(); }
    std::string guarantee() const override { return store_.guarantee(); }

private:
    class Domain final : public store::DomainStore {
    public:
        Domain(const WatchedStore &watching, std::unique_ptr<store::DomainStore> domain)
            : watching_(watching), domain_(std::move(domain)) {}
        store::MigrationSteps migrate(const store::Schema &schema) override { return domain_->migrate(schema); }
        store::MigrationSteps preview(const store::Schema &schema) override { return domain_->preview(schema); }
        std::unique_ptr<store::Session> open() override {
            auto session = std::make_unique<WatchedSession>(domain_->open());
            session->before_begin = watching_.before_begin;
            if (watching_.opened) {
                watching_.opened(*session);
            }
            return session;
        }
        std::size_t batches_at_once() const override { return domain_->batches_at_once(); }
        std::vector<std::string> adopted_tables(const store::Schema &schema) override { return domain_->adopted_tables(schema); }
        std::vector<std::string> route_tables(const store::Schema &schema) override { return domain_->route_tables(schema); }

    private:
        const WatchedStore &watching_;
        std::unique_ptr<store::DomainStore> domain_;
    };

    store::Store &store_;
};

} // namespace weir::test
