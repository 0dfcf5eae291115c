"""gunicorn's settings: the background job starts in each worker, after the fork."""

import rig

bind = rig.LISTEN
backlog = 4096
keepalive = 30


def post_worker_init(worker):
    rig.start_background()
