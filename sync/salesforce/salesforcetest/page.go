package salesforcetest

import "net/http"

func (o *Org) servePage(w http.ResponseWriter, r *http.Request) { http.NotFound(w, r) }
