//! `core.getIDToken`, checked by a receiver that knows only the issuer's address.

use api::Permission;
use serde_json::json;

use crate::stage::Stage;

#[tokio::test]
async fn a_receiver_can_check_a_token_by_the_issuer_alone() {
    let stage = Stage::new().await;
    let grant = stage
        .grant(|grant| {
            grant.permissions.insert("id-token".to_owned(), Permission::Write);
            grant.environment = Some("staging".parse().expect("a name"));
        })
        .await;
    let told = stage.run(&grant, "identity.mjs", &[]).await;
    let expected = json!({
        "algorithm": "RS256",
        "supported": ["RS256"],
        "undeclared": [],
        "claims": {
            "sub": "repo:landfall/shop:environment:staging",
            "repository": "landfall/shop",
            "ref": "refs/heads/main",
            "run_id": "1",
            "job_workflow_ref": "landfall/shop/.github/workflows/ci.yml@refs/heads/main",
            "environment": "staging",
        },
        "lifetime": 300,
        "forged": "ERR_JWS_SIGNATURE_VERIFICATION_FAILED",
        "audience": "http://landfall.localhost:PORT/landfall",
    });
    assert_eq!(told, expected);
}

#[tokio::test]
async fn a_job_without_the_permission_gets_none() {
    let stage = Stage::new().await;
    let grant = stage.grant(|_| ()).await;
    let told = stage.run(&grant, "identity.mjs", &[]).await;
    let expected = "Error message: Unable to get ACTIONS_ID_TOKEN_REQUEST_URL env variable";
    assert_eq!(told, json!({ "error": expected }));

    // The token for caches is no help.
    let url = format!("{}/oidc/token?api-version=2.0", stage.url);
    let environment = stage.toolkit.job_environment(&grant, store::now());
    let token = environment.secrets.first().expect("a token").clone();
    let more = [("ACTIONS_ID_TOKEN_REQUEST_URL", url.as_str()), ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", token.as_str())];
    let told = stage.run(&grant, "identity.mjs", &more).await;
    let shown = told["error"].as_str().expect("an error").replace([' ', '\n'], "");
    let expected = "Errormessage:FailedtogetIDToken.ErrorCode:401ErrorMessage:thetokenisnotoneofthisserver,oritsjobisover";
    assert_eq!(shown, expected);
}
