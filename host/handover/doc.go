// Package handover is about listening sockets that this process did not open
// itself: those that systemd opened for it, and the one that a running gateway
// hands on to the next, so that the port never closes.
//
// Two processes of one user talk over a Unix socket, in lines of JSON, one
// question and one answer at a time:
//
//	the next                          the one that runs
//	who I am                 ->
//	                         <-       who I am
//	take                     ->       starts nothing new any more
//	                         <-       the listening socket, the project's lock
//	ready                    ->
//	                         <-       yes: from here on the next one may work
//	serving                  ->       closes the port, finishes its runs, leaves
//	                         <-       yes
//
// When the next one goes away before it serves, the other goes on as if nothing
// had happened. The lines hold no secret, and both sides make sure that the
// other is of the same user. What it means to hold, to go on and to leave is the
// gateway's business ([Giver]); this package knows no store and no run.
package handover
