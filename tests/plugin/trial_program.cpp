// SPDX-License-Identifier: Apache-2.0
//
// Stands in for `weir plugin-trial FILE`.
#include "plugin/trial.hpp"

#include <cstdlib>

int main(int count, char **arguments) { std::_Exit(count == 2 ? weir::plugin::trial_main(arguments[1]) : 2); }
