// SPDX-License-Identifier: GPL-2.0-only
/*
 * Threads in which collectors run, so that one that crashes or hangs takes neither its
 * driver nor the dump of anything else along.
 *
 * The states of a thread are kept here and not in Rust: each step from one to the next is
 * a macro or inline function of the kernel (set_current_state(), completions, references
 * to modules), and the last one of a thread that was abandoned does not return. In Rust,
 * each would be another function of the contract, and the order of the steps, which is
 * all there is to get right, would be spread over both languages. What becomes of a dump
 * whose thread ended, crashed or is late is decided in Rust.
 */
#include <linux/atomic.h>
#include <linux/completion.h>
#include <linux/err.h>
#include <linux/init.h>
#include <linux/irqflags.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/preempt.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/slab.h>

#include "internal.h"
#include "shim.h"

/*
 * A thread that works for one collector at a time. One that has ended its work as it
 * should is kept for the next collector: making a thread takes much longer than making
 * most dumps.
 */
struct shim_thread {
	struct task_struct *task;
	struct module *owner;
	void (*run)(void *work);
	void (*drop)(void *work);
	/* What @run gets; set by the starter, and reset by the thread when it is done. */
	void *work;
	struct completion ended;
	atomic_t state;
	/* The collector left nothing after that the next one would notice. */
	bool as_new;
};

/*
 * Who frees the thread and its work: the first to change this from THREAD_RUNS leaves
 * that to the other.
 */
enum { THREAD_RUNS, THREAD_ENDED, THREAD_ABANDONED };

/* How often to look whether the thread died, which nothing reports. */
#define THREAD_LOOK	msecs_to_jiffies(20)

/* The thread that is kept, waiting for work; or NULL. */
static struct shim_thread *kept_thread;

/* Not inlined: it is there three times, and never in a hurry. */
static noinline void thread_free(struct shim_thread *thread)
{
	put_task_struct(thread->task);
	kfree(thread);
}

/* The next work; NULL when the thread is to end. */
static void *thread_work(struct shim_thread *thread)
{
	void *work;

	for (;;) {
		set_current_state(TASK_IDLE);
		/* Pairs with the release in shim_thread_start(): all that it set is seen. */
		work = smp_load_acquire(&thread->work);
		if (work || kthread_should_stop())
			break;
		schedule();
	}
	__set_current_state(TASK_RUNNING);
	return work;
}

static int thread_main(void *data)
{
	struct shim_thread *thread = data;
	bool as_new;
	void *work;

	while ((work = thread_work(thread))) {
		/*
		 * An allocation for which there is no memory is to fail, not to invoke
		 * the OOM killer: a dump is not worth a process, which may be the one
		 * that saves.
		 */
		current->flags |= PF_DUMPCORE;
		thread->run(work);
		as_new = !preempt_count() && !irqs_disabled() && !signal_pending(current);
		thread->as_new = as_new;
		WRITE_ONCE(thread->work, NULL);
		if (atomic_cmpxchg(&thread->state, THREAD_RUNS, THREAD_ENDED) != THREAD_RUNS) {
			thread->drop(work);
			module_put(thread->owner);
			thread_free(thread);
			module_put_and_kthread_exit(0);
		}
		complete(&thread->ended);
		/* kthread_stop() waits for the return of a thread that is not kept. */
		if (!as_new)
			break;
	}
	return 0;
}

static struct shim_thread *thread_new(int *error)
{
	struct shim_thread *thread = kzalloc(sizeof(*thread), GFP_MODEST);

	if (!thread)
		return NULL;
	init_completion(&thread->ended);
	thread->task = kthread_create(thread_main, thread, "vmcoredd");
	if (IS_ERR(thread->task)) {
		*error = PTR_ERR(thread->task);
		kfree(thread);
		return NULL;
	}
	get_task_struct(thread->task);
	return thread;
}

static void thread_end(struct shim_thread *thread)
{
	kthread_stop(thread->task);
	thread_free(thread);
}

struct shim_thread *shim_thread_start(struct module *owner, void (*run)(void *work),
				      void (*drop)(void *work), void *work, int *error)
{
	struct shim_thread *thread;

	*error = -ENOMEM;
	if (fault())
		return NULL;
	if (!try_module_get(owner)) {
		*error = -ENOENT;
		return NULL;
	}
	thread = xchg(&kept_thread, NULL);
	if (!thread)
		thread = thread_new(error);
	if (!thread) {
		module_put(owner);
		return NULL;
	}
	thread->owner = owner;
	thread->run = run;
	thread->drop = drop;
	atomic_set(&thread->state, THREAD_RUNS);
	reinit_completion(&thread->ended);
	/* Pairs with the acquire in thread_work(). */
	smp_store_release(&thread->work, work);
	wake_up_process(thread->task);
	return thread;
}

u32 shim_thread_wait(struct shim_thread *thread, u32 milliseconds)
{
	unsigned long end = jiffies + msecs_to_jiffies(milliseconds);
	unsigned long pause = THREAD_LOOK;

	for (;;) {
		if (milliseconds) {
			if (time_after_eq(jiffies, end))
				return SHIM_THREAD_LATE;
			pause = min(THREAD_LOOK, end - jiffies);
		}
		if (wait_for_completion_timeout(&thread->ended, pause))
			return SHIM_THREAD_ENDED;
		if (READ_ONCE(thread->task->exit_state))
			return try_wait_for_completion(&thread->ended) ?
				SHIM_THREAD_ENDED : SHIM_THREAD_CRASHED;
	}
}

void shim_thread_free(struct shim_thread *thread, bool crashed)
{
	module_put(thread->owner);
	if (crashed) {
		/* It may never end, so nobody waits for it. */
		thread_free(thread);
	} else if (!thread->as_new || cmpxchg(&kept_thread, NULL, thread)) {
		thread_end(thread);
	}
}

bool shim_thread_abandon(struct shim_thread *thread)
{
	/* The thread ends in code of this module, and gives this up with its last step. */
	__module_get(THIS_MODULE);
	if (atomic_cmpxchg(&thread->state, THREAD_RUNS, THREAD_ABANDONED) == THREAD_RUNS)
		return true;
	module_put(THIS_MODULE);
	/* It is about to complete this; the next wait must not find it complete. */
	wait_for_completion(&thread->ended);
	return false;
}

void __exit thread_end_kept(void)
{
	struct shim_thread *thread = xchg(&kept_thread, NULL);

	if (thread)
		thread_end(thread);
}
