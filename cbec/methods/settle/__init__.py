"""Methods of the step `settle`: reconciliation, ledger, landed profit."""
