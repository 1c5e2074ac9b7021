// Uses the org as jsforce's documentation says, and prints what it saw as one JSON line.
"use strict";
const assert = require("node:assert");
const jsforce = require("jsforce");

const { INSTANCE, LOGIN, CLIENT, ACCESS, REFRESH } = process.env;

async function main() {
  const conn = new jsforce.Connection({
    instanceUrl: INSTANCE, accessToken: ACCESS, refreshToken: REFRESH, version: "60.0",
    oauth2: { loginUrl: LOGIN, clientId: CLIENT, redirectUri: "http://localhost:17171/callback" },
  });
  const seen = {};

  const me = await conn.identity();
  seen.username = me.username;

  const d = await conn.describe("EmailMessage");
  seen.fields = d.fields.filter(f => ["Subject", "ToIds", "Mail_Key__c"].includes(f.name)).map(f => [f.name, f.type, f.unique]);
  seen.objects = (await conn.describeGlobal()).sobjects.map(s => s.name).filter(n => n === "EmailMessage" || n === "Task");

  const first = await conn.query("SELECT Id, Name, Account.Name FROM Contact ORDER BY Name");
  seen.firstPage = [first.totalSize, first.records.length, first.done];
  const second = await conn.queryMore(first.nextRecordsUrl);
  seen.secondPage = [second.records.length, second.done];
  const all = await conn.query("SELECT Id FROM Contact").run({ autoFetch: true, maxFetch: 10000 });
  seen.all = (all.records ?? all).length;
  seen.count = await conn.sobject("Contact").count({ Email: { $like: "%@EXAMPLE.com" } });

  const mail = await conn.sobject("EmailMessage").create({ Subject: "From jsforce", Status: "3", TextBody: "Hi", MessageIdentifier: "<1@js>" });
  assert.ok(mail.success);
  const back = await conn.sobject("EmailMessage").retrieve(mail.id);
  seen.mail = [back.Subject, typeof back.ActivityId];
  seen.found = (await conn.sobject("EmailMessage").find({ MessageIdentifier: "<1@js>" }, ["Id", "Subject"])).length;

  const up1 = await conn.sobject("Task").upsert({ Subject: "Once", Mail_Key__c: "abc" }, "Mail_Key__c");
  const up2 = await conn.sobject("Task").upsert({ Subject: "Twice", Mail_Key__c: "ABC" }, "Mail_Key__c");
  seen.upsert = [up1.success, up1.created, up2.success, up2.created, up1.id === up2.id];

  const many = await conn.sobject("Task").create([{ Subject: "A" }, { Subject: "B".repeat(300) }, { Subject: "C" }], { allOrNone: false });
  seen.collection = many.map(r => r.success ? "ok" : (r.errors[0].statusCode ?? r.errors[0].errorCode));
  const manyUp = await conn.sobject("Task").upsert([{ Mail_Key__c: "k1", Subject: "1" }, { Mail_Key__c: "abc", Subject: "2" }], "Mail_Key__c");
  seen.collectionUpsert = manyUp.map(r => r.created);
  const changed = await conn.sobject("Task").update([{ Id: many[0].id, Status: "Completed" }, { Id: many[2].id, Priority: "High" }]);
  seen.collectionUpdate = changed.map(r => r.success);
  const gone = await conn.sobject("Task").destroy([many[0].id, many[2].id]);
  seen.collectionDelete = gone.map(r => r.success);
  const got = await conn.sobject("Task").retrieve([up1.id]);
  seen.retrieve = got.map(r => r.Subject);

  const file = await conn.sobject("ContentVersion").create({ PathOnClient: "a.txt", VersionData: Buffer.from("hello").toString("base64"), FirstPublishLocationId: mail.id });
  seen.file = file.success;

  const base = "/services/data/v60.0";
  const composite = await conn.request({
    method: "POST", url: `${base}/composite`, headers: { "content-type": "application/json" },
    body: JSON.stringify({ allOrNone: false, compositeRequest: [
      { method: "POST", url: `${base}/sobjects/EmailMessage`, referenceId: "mail", body: { Subject: "In parts", Status: "3" } },
      { method: "POST", url: `${base}/sobjects/EmailMessageRelation`, referenceId: "from", body: { EmailMessageId: "@{mail.id}", RelationType: "FromAddress", RelationAddress: "a@b.example" } },
      { method: "GET", url: `${base}/sobjects/EmailMessage/@{mail.id}?fields=ActivityId`, referenceId: "back" },
      { method: "GET", url: `${base}/sobjects/Task/@{nowhere.id}`, referenceId: "bad" },
    ] }),
  });
  seen.composite = composite.compositeResponse.map(r => r.httpStatusCode);

  const failures = {};
  for (const [name, act] of Object.entries({
    noColumn: () => conn.query("SELECT Nope FROM Contact"),
    tooLong: () => conn.sobject("Task").create({ Subject: "x".repeat(256) }),
    noObject: () => conn.sobject("Nope").describe(),
    twice: () => conn.sobject("Task").create({ Mail_Key__c: "aBc" }),
  })) {
    try { await act(); failures[name] = "no error"; } catch (e) { failures[name] = e.errorCode ?? e.name; }
  }
  seen.failures = failures;

  // The session ends on the server: jsforce refreshes by itself and goes on.
  const fresh = [];
  conn.on("refresh", (token, res) => fresh.push(Boolean(token), Boolean(res.refresh_token)));
  conn.accessToken = "00D!expired";
  seen.afterExpiry = (await conn.query("SELECT COUNT() FROM Account")).totalSize;
  seen.refreshed = fresh;
  seen.limit = Boolean(conn.limitInfo?.apiUsage?.limit);
  console.log(JSON.stringify(seen));
}

main().catch(e => { console.error(e); process.exit(1); });
