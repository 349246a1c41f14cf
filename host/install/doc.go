// Package install puts provider binaries into a project and keeps account of
// them in al-plugins.lock: which version of which type, and the SHA-256 of its
// file for each platform. What the lock names runs from that one file or not at
// all; what it does not name is none of its business.
//
// A source is a file, a folder or an archive of this machine. Nothing is
// fetched, and nothing in a source says where a file goes: a program is copied
// under a name of ours, tried, and renamed into place.
//
// It talks to no gateway and starts nothing by itself: how a program is tried is
// handed in.
package install
