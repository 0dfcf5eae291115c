<?php
// Comes in: a request that a web server hands on, and the address of another server as a parameter. Goes out: what that
// one answers.
echo file_get_contents("http://{$_SERVER['BACKEND']}/hello" . $_SERVER['REQUEST_URI']);
