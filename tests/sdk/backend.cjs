// The official JavaScript SDK as a backend of the site: unchanged but for its own `gateway` setting.
// Reads one JSON line {sdk, host, port, id, key, conversations, queue, deployment, message}; prints {results, errors, token}.
'use strict';
const told = JSON.parse(require('fs').readFileSync(0, 'utf8'));
const sdk = require(told.sdk);

async function main() {
  const client = sdk.ApiClient.instance;
  client.setGateway({ protocol: 'http', host: told.host, port: told.port, path_params_login: 'login', path_params_api: 'sites/shop' });
  const errors = {}, results = {};
  async function call(name, make) {
    try { results[name] = await make(); } catch (error) { errors[name] = String(error.status || error.message || error) + ' ' + JSON.stringify(error.body || {}); }
  }
  await client.loginClientCredentialsGrant(told.id, told.key);
  const routing = new sdk.RoutingApi(), conversations = new sdk.ConversationsApi(), contacts = new sdk.ExternalContactsApi();
  const deployments = new sdk.WebDeploymentsApi(), notifications = new sdk.NotificationsApi(), oauth = new sdk.OAuthApi();
  const [first, second, third] = told.conversations;
  await call('queues', () => routing.getRoutingQueues({ pageSize: 10 }));
  await call('queue', () => routing.getRoutingQueue(told.queue));
  await call('wait', () => routing.getRoutingQueueEstimatedwaittime(told.queue));
  await call('skills', () => routing.getRoutingSkills());
  await call('wrapupcodes', () => routing.getRoutingWrapupcodes());
  await call('conversation', () => conversations.getConversation(first.id));
  await call('message conversation', () => conversations.getConversationsMessage(first.id));
  await call('attributes', () => conversations.patchConversationParticipantAttributes(first.id, first.customer, { attributes: { tier: 'gold' } }));
  await call('bulk', () => conversations.postConversationsMessageMessagesBulk(first.id, { body: [told.message] }));
  const made = await contacts.postExternalcontactsContacts({ firstName: 'Ada', lastName: 'Lovelace' });
  await call('contact', () => contacts.getExternalcontactsContact(made.id));
  await call('contact change', () => contacts.putExternalcontactsContact(made.id, { firstName: 'Ada', lastName: 'King' }));
  await call('link', () => contacts.putExternalcontactsConversation(first.id, { externalContactId: made.id, mediaType: 'MESSAGE' }));
  await call('contact removal', () => contacts.deleteExternalcontactsContact(made.id));
  await call('end', () => conversations.patchConversationsMessage(first.id, { state: 'disconnected' }));
  await call('disconnect', () => conversations.postConversationDisconnect(second.id));
  await call('delete', () => conversations.deleteConversation(third.id));
  await call('deployments', () => deployments.getWebdeploymentsDeployments());
  await call('deployment', () => deployments.getWebdeploymentsDeployment(told.deployment));
  await call('configurations', () => deployments.getWebdeploymentsConfigurations());
  const channel = await notifications.postNotificationsChannels();
  await call('channels', () => notifications.getNotificationsChannels());
  await call('subscribe', () => notifications.postNotificationsChannelSubscriptions(channel.id, [{ id: 'channel.metadata' }]));
  await call('subscriptions', () => notifications.getNotificationsChannelSubscriptions(channel.id));
  await call('unsubscribe', () => notifications.deleteNotificationsChannelSubscriptions(channel.id));
  await call('details', () => conversations.postAnalyticsConversationsDetailsQuery({ interval: '2026-01-01T00:00:00Z/2026-12-31T00:00:00Z' }));
  await call('scopes', () => oauth.getOauthScopes());
  await call('clients', () => oauth.getOauthClients());
  process.stdout.write(JSON.stringify({ results, errors, token: client.authData.accessToken }));
  process.exit(0);
}

main().catch((error) => { process.stderr.write(String(error && error.stack || error) + ' ' + JSON.stringify(error && error.body || {})); process.exit(1); });
