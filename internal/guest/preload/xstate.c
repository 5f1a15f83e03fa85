// Lets user-mode Linux 6.1 run on processors whose register state is larger than it knows (AMX: 11 KB, its buffer has
// 2.7 KB). It saves the first part of a task's state and puts that back; newer kernels of the host refuse to set a
// state that is not whole. So the rest is taken from the task itself, in which it has not changed meanwhile.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/types.h>
#include <sys/uio.h>

#define XSTATE ((void *)0x202) // NT_X86_XSTATE

static long (*next)(enum __ptrace_request, pid_t, void *, void *);

__attribute__((constructor)) static void find(void)
{
	next = (long (*)(enum __ptrace_request, pid_t, void *, void *))dlsym(RTLD_NEXT, "ptrace");
}

static long set_state(pid_t task, const struct iovec *part)
{
	static char state[16384]; // more than any processor has, and more than the caller's stack; it is one thread
	struct iovec whole = {state, sizeof state};
	long err = next(PTRACE_GETREGSET, task, XSTATE, &whole);
	if (err)
		return err;
	memcpy(state, part->iov_base, part->iov_len < whole.iov_len ? part->iov_len : whole.iov_len);
	return next(PTRACE_SETREGSET, task, XSTATE, &whole);
}

long ptrace(enum __ptrace_request request, ...)
{
	va_list rest;
	va_start(rest, request);
	pid_t task = va_arg(rest, pid_t);
	void *address = va_arg(rest, void *), *data = va_arg(rest, void *);
	va_end(rest);
	if (request == PTRACE_SETREGSET && address == XSTATE)
		return set_state(task, data);
	return next(request, task, address, data);
}
