package dovecottest

const mainConf = `protocols = imap
listen = 127.0.0.1
base_dir = @DIR@/run
state_dir = @DIR@/state
log_path = @DIR@/dovecot.log
default_internal_user = @USER@
default_internal_group = @GROUP@
default_login_user = @USER@
first_valid_uid = 0
first_valid_gid = 0
mail_uid = @USER@
mail_gid = @GROUP@
mail_location = @LOCATION@
mail_fsync = never
mail_max_userip_connections = 50
auth_mechanisms = plain login @SASL@
disable_plaintext_auth = yes
auth_failure_delay = 0
auth_cache_size = 0
ssl = required
ssl_cert = <@DIR@/cert.pem
ssl_key = <@DIR@/key.pem
ssl_min_protocol = TLSv1.2
@EXTRA@
namespace inbox {
  inbox = yes
  separator = /
  mailbox Sent {
    auto = subscribe
    special_use = \Sent
  }
  mailbox Trash {
    auto = subscribe
    special_use = \Trash
  }
}
passdb {
  driver = oauth2
  mechanisms = @SASL@
  args = @DIR@/oauth2.conf.ext
}
passdb {
  driver = static
  mechanisms = plain login
  args = password=@PASSWORD@
}
userdb {
  driver = static
  args = uid=@USER@ gid=@GROUP@ home=@DIR@/home/%u
}
service anvil {
  chroot =
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
service stats {
  chroot =
}
service imap-login {
  chroot =
  service_count = 0
  inet_listener imap {
    port = 0
  }
  inet_listener imaps {
    port = @PORT@
    ssl = yes
  }
}
service imap {
  service_count = 1000
  process_limit = 300
}
service auth-worker {
  user = @USER@
}
`

const oauthConf = `introspection_url = @INTROSPECT@
introspection_mode = post
force_introspection = yes
client_id = dovecot
client_secret = s3cret
username_attribute = email
username_format = %u
active_attribute = active
active_value = true
timeout_msecs = 15000
`
