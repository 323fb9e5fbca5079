// SPDX-License-Identifier: Apache-2.0
#include "broker_contract.hpp"

#include "contract_support.hpp"

namespace weir::test {

std::vector<BrokerPromise> broker_contract() {
    std::vector<BrokerPromise> promises = delivery_promises();
    for (auto &&more : {group_promises(), process_promises()}) {
        promises.insert(promises.end(), more.begin(), more.end());
    }
    return promises;
}

} // namespace weir::test
