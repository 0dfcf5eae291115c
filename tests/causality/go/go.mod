module causality

go 1.22
