// A session of the real pusher-js, in Node or in a browser. The test (test_pusher_js.py) publishes; this reports what arrives.
//
// Everything the library tells its user goes to POST /report, one at a time and in order. An event named `say` makes this
// side trigger a client event; `leave` makes it unsubscribe. Nothing else is decided here.

async function starlingSession(Pusher, base) {
    const stage = await (await fetch(base + "/stage.json")).json();
    let queue = Promise.resolve();
    const report = (event, channel, data) => {
        const body = JSON.stringify({ event, channel, data: data === undefined ? null : data });
        queue = queue.then(() => fetch(base + "/report", { method: "POST", body }));
    };

    const headers = { Authorization: "Bearer " + stage.who };
    const pusher = new Pusher(stage.key, {
        cluster: "",
        wsHost: "127.0.0.1",
        wsPort: stage.port,
        wssPort: stage.port,
        forceTLS: false,
        enabledTransports: ["ws"],
        activityTimeout: stage.activityTimeout,
        pongTimeout: stage.activityTimeout,
        channelAuthorization: { endpoint: stage.auth, transport: "ajax", headers },
        userAuthentication: { endpoint: stage.userAuth, transport: "ajax", headers },
    });

    pusher.connection.bind("state_change", (change) => report("state", null, change.current));
    pusher.connection.bind("error", (error) => report("error", null, (error && error.error && error.error.data) || String(error)));
    if (stage.signIn) {
        pusher.signin();
        pusher.user.bind("letter", (data) => report("letter", null, data));
        pusher.user.watchlist.bind("online", (data) => report("online", null, data.user_ids));
        pusher.user.watchlist.bind("offline", (data) => report("offline", null, data.user_ids));
    }
    for (const name of stage.channels) {
        const channel = pusher.subscribe(name);
        channel.bind("client-answer", (data, metadata) => report("answer", name, { data, from: metadata && metadata.user_id }));
        channel.bind_global((event, data) => {
            if (event === "pusher:subscription_succeeded" && data && data.members) {
                data = { count: data.count, members: data.members, me: data.me };
            }
            if (event === "say") channel.trigger("client-said", data);
            if (event === "leave") pusher.unsubscribe(name);
            report(event, name, data);
        });
    }
}

if (typeof window === "undefined") {
    const [build, base] = process.argv.slice(2);
    const loaded = require(build);
    starlingSession(loaded.Pusher || loaded.default || loaded, base);
}
