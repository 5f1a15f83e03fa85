// Package control lets people and programs look into a running mkad and tell it what to do: the JSON documents, the
// server inside the daemon and the client inside mkactl. They talk HTTP over a unix socket:
//
//	GET  /v1/status?port=eth1          Document; without port, or with several, those ports
//	GET  /v1/counters?port=eth1        CountersDocument
//	GET  /v1/explain?port=eth1         ExplainDocument
//	GET  /v1/plan                      PlanDocument: what a reload would do
//	GET  /v1/events                    Events as they happen, one JSON object a line, until either side hangs up
//	POST /v1/ports/{port}/rekey        a new SAK; {} when it is on its way
//	POST /v1/ports/{port}/backend?name=kernel
//	                                   another backend; {} when the port has begun with it. &force=true: as below
//	POST /v1/reload                    the configuration is read again; PlanDocument of what was done, when it is in
//	                                   use. ?force=true: also where a Controlled Port loses what cannot be put back
//
// A port is named by its lower device or by its Controlled Port. Whoever may open the socket may look (root and the group
// mkad); who changes something is checked again by the credentials that the kernel holds for the connection. A request
// that fails is answered by an [Error] with a fitting HTTP status. No document holds a key.
package control
