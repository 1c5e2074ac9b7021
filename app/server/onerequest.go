package server

import "net/http"

// oneRequest ends a connection after a request whose body comes in chunks. net/http takes chunks and a length together
// and believes the chunks; a proxy on the way that believes the length would see other requests in the same bytes. No
// client of ours sends chunks.
func oneRequest(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if len(r.TransferEncoding) > 0 {
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}
